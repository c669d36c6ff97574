"""User data events as they go over the wire: field order, number texts and which rows are listed."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from skalp_bot.paper.account import Account, Position
from skalp_bot.paper.floor import Floor
from skalp_bot.paper.money import ZERO, plain
from skalp_bot.paper.orders import AlgoOrder, AlgoStatus, Execution, Order, OrderType, Push

NAMED_OUTCOME = frozenset(
    {AlgoStatus.TRIGGERED, AlgoStatus.FINISHED, AlgoStatus.CANCELED, AlgoStatus.EXPIRED, AlgoStatus.REJECTED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution of one order."""

    trade_id: int
    price: Decimal
    qty: Decimal
    commission: Decimal
    realized: Decimal
    maker: bool


NO_FILL = Fill(trade_id=0, price=ZERO, qty=ZERO, commission=ZERO, realized=ZERO, maker=False)


def tell(floor: Floor, account: Account, payload: dict[str, object]) -> None:
    floor.pushes.append(Push(event=str(payload["e"]), payload=payload, account_id=account.id))


def order_update(floor: Floor, order: Order, execution: Execution, now_ms: int, fill: Fill = NO_FILL) -> None:
    account = floor.accounts[order.account_id]
    bids, asks = account.open_notional(order.symbol)
    row: dict[str, object] = {
        "s": order.symbol,
        "c": order.client_order_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": plain(order.qty),
        "p": plain(order.price),
        "ap": plain(order.avg_price),
        "sp": "0",
        "x": execution,
        "X": order.status,
        "i": order.order_id,
    }
    if execution is Execution.AMENDMENT and order.modify_id is not None:
        row["M"] = str(order.modify_id)
    row |= {
        "l": plain(fill.qty),
        "z": plain(order.filled),
        "L": plain(fill.price),
        "n": plain(fill.commission),
        "N": floor.symbols[order.symbol].margin_asset,
        "T": now_ms,
        "t": fill.trade_id,
        "b": plain(bids),
        "a": plain(asks),
        "m": fill.maker,
        "R": order.reduce_only,
        "wt": order.working_type,
        "ot": order.orig_type,
        "ps": order.position_side,
        "cp": order.close_position,
        "rp": plain(fill.realized),
        "pP": order.price_protect,
        "si": order.algo_id,
        "ss": -1 if order.algo_id else 0,
    }
    if order.algo_id:
        row["st"] = "ALGO_CONDITION"
    row |= {"V": order.stp, "pm": order.price_match, "gtd": order.good_till_ms, "er": order.expiry}
    tell(floor, account, {"e": "ORDER_TRADE_UPDATE", "T": now_ms, "E": now_ms, "o": row})


def trade_lite(floor: Floor, order: Order, fill: Fill, now_ms: int) -> None:
    spec = floor.symbols[order.symbol]
    payload: dict[str, object] = {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": now_ms,
        "s": order.symbol,
        "q": spec.qty_text(order.qty),
        "p": spec.price_text(order.price) if order.price else "0",
        "m": fill.maker,
        "c": order.client_order_id,
        "S": order.side,
        "L": spec.price_text(fill.price),
        "l": spec.qty_text(fill.qty),
        "t": fill.trade_id,
        "i": order.order_id,
    }
    tell(floor, floor.accounts[order.account_id], payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What an ACCOUNT_UPDATE is about: its reason, the asset it shows, and the change that is not PnL."""

    reason: str
    asset: str
    change: Decimal = ZERO


def account_update(
    floor: Floor, account: Account, why: Why, now_ms: int, positions: Iterable[Position] = ()
) -> None:
    wallet = plain(account.wallet.get(why.asset, ZERO))
    balance = {"a": why.asset, "wb": wallet, "cw": wallet, "bc": plain(why.change)}
    rows = [position_row(floor, account, position) for position in positions]
    body = {"B": [balance], "P": rows, "m": why.reason}
    tell(floor, account, {"e": "ACCOUNT_UPDATE", "T": now_ms, "E": now_ms, "a": body})


def position_row(floor: Floor, account: Account, position: Position) -> dict[str, object]:
    mark = floor.markets[position.symbol].mark_price() or position.entry
    isolated = account.isolated.get(position.symbol, False)
    return {
        "s": position.symbol,
        "pa": plain(position.qty),
        "ep": plain(position.entry),
        "cr": plain(position.realized),
        "up": plain(position.unrealized(mark)),
        "mt": "isolated" if isolated else "cross",
        "iw": "0",
        "ps": position.side,
        "ma": floor.symbols[position.symbol].margin_asset,
        "bep": plain(position.break_even.quantize(Decimal("1e-8"))),
    }


def algo_update(floor: Floor, algo: AlgoOrder, now_ms: int) -> None:
    row: dict[str, object] = {
        "caid": algo.client_algo_id,
        "aid": algo.algo_id,
        "at": "CONDITIONAL",
        "o": algo.type,
        "s": algo.symbol,
        "S": algo.side,
        "ps": algo.position_side,
        "f": algo.time_in_force,
        "q": plain(algo.qty),
        "X": algo.status,
        "ai": str(algo.order_id) if algo.order_id else "",
    }
    if algo.status in NAMED_OUTCOME:
        finished = algo.status is AlgoStatus.FINISHED
        born = OrderType.LIMIT if algo.price or algo.type in LIMIT_BORN else OrderType.MARKET
        row |= {
            "ap": plain(algo.avg_price) if finished else "0",
            "aq": plain(algo.filled) if finished else "0",
            "act": born if algo.order_id else "0",
        }
    row |= {
        "tp": plain(algo.trigger_price),
        "p": plain(algo.price),
        "V": algo.stp,
        "wt": algo.working_type,
        "pm": algo.price_match,
        "cp": algo.close_position,
        "pP": algo.price_protect,
        "R": algo.reduce_only,
        "tt": algo.trigger_ms,
        "gtd": algo.good_till_ms,
    }
    if algo.callback_rate is not None:
        row |= {
            "AP": plain(algo.activate_price or ZERO),
            "cr": plain(algo.callback_rate),
            "ia": algo.activated,
        }
    if algo.reason:
        row["rm"] = algo.reason
    account = floor.accounts[algo.account_id]
    tell(floor, account, {"e": "ALGO_UPDATE", "T": now_ms, "E": now_ms, "o": row})


LIMIT_BORN = frozenset({OrderType.STOP, OrderType.TAKE_PROFIT})


def leverage_update(floor: Floor, account: Account, symbol: str, leverage: int, now_ms: int) -> None:
    body = {"s": symbol, "l": leverage}
    tell(floor, account, {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ac": body})


def multi_assets_update(floor: Floor, account: Account, now_ms: int, *, joined: bool) -> None:
    body = {"j": joined}
    tell(floor, account, {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ai": body})


def trigger_reject(floor: Floor, order: Order, reason: str, now_ms: int) -> None:
    body = {"s": order.symbol, "i": order.order_id, "r": reason}
    payload: dict[str, object] = {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "E": now_ms, "T": now_ms}
    tell(floor, floor.accounts[order.account_id], payload | {"or": body})


def listen_key_expired(floor: Floor, account: Account, listen_key: str, now_ms: int) -> None:
    tell(floor, account, {"e": "listenKeyExpired", "E": now_ms, "listenKey": listen_key})
