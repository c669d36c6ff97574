"""Account reads as JSON rows: balances, account, positions, configuration, brackets."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from skalp_bot.paper.account import Account, Position
from skalp_bot.paper.floor import Floor
from skalp_bot.paper.margin import (
    AssetMargin,
    asset_margin,
    busy_symbols,
    cap_at,
    liquidation_price,
    symbol_margin,
)
from skalp_bot.paper.money import ZERO, eight, plain
from skalp_bot.paper.orders import PositionSide

Row = dict[str, Any]
MARGIN_NAMES = ("initialMargin", "maintMargin", "positionInitialMargin", "openOrderInitialMargin")


def assets(account: Account) -> list[str]:
    """USDT always, others once they were held."""
    return sorted({"USDT", *account.wallet}, key=lambda name: (name != "USDT", name))


def touched_ms(account: Account, asset: str, now_ms: int) -> int:
    """Time of the last wallet change; never zero, because clients drop assets with zero."""
    return account.wallet_ms.get(asset) or now_ms


def balance_rows(floor: Floor, account: Account, now_ms: int) -> list[Row]:
    rows = []
    for asset in assets(account):
        margin = asset_margin(floor, account, asset)
        rows.append(
            {
                "accountAlias": f"paper{account.id}",
                "asset": asset,
                "balance": eight(margin.wallet),
                "crossWalletBalance": eight(margin.wallet),
                "crossUnPnl": eight(margin.unrealized),
                "availableBalance": eight(margin.available),
                "maxWithdrawAmount": eight(margin.withdrawable),
                "marginAvailable": True,
                "updateTime": touched_ms(account, asset, now_ms),
            }
        )
    return rows


def asset_row(account: Account, asset: str, margin: AssetMargin, now_ms: int) -> Row:
    return {
        "asset": asset,
        "walletBalance": eight(margin.wallet),
        "unrealizedProfit": eight(margin.unrealized),
        "marginBalance": eight(margin.balance),
        "maintMargin": eight(margin.maintenance),
        "initialMargin": eight(margin.initial),
        "positionInitialMargin": eight(margin.position),
        "openOrderInitialMargin": eight(margin.orders),
        "crossWalletBalance": eight(margin.wallet),
        "crossUnPnl": eight(margin.unrealized),
        "availableBalance": eight(margin.available),
        "maxWithdrawAmount": eight(margin.withdrawable),
        "updateTime": touched_ms(account, asset, now_ms),
    }


def account_statement(floor: Floor, account: Account, version: int, now_ms: int) -> Row:
    """Give GET account of version 2 or 3: totals in USDT, then assets and positions."""
    whole = asset_margin(floor, account, "USDT")
    row: Row = {
        "totalInitialMargin": eight(whole.initial),
        "totalMaintMargin": eight(whole.maintenance),
        "totalWalletBalance": eight(whole.wallet),
        "totalUnrealizedProfit": eight(whole.unrealized),
        "totalMarginBalance": eight(whole.balance),
        "totalPositionInitialMargin": eight(whole.position),
        "totalOpenOrderInitialMargin": eight(whole.orders),
        "totalCrossWalletBalance": eight(whole.wallet),
        "totalCrossUnPnl": eight(whole.unrealized),
        "availableBalance": eight(whole.available),
        "maxWithdrawAmount": eight(whole.withdrawable),
    }
    listed = [asset_row(account, a, asset_margin(floor, account, a), now_ms) for a in assets(account)]
    if version == 2:
        status: Row = {"feeTier": 0, "feeBurn": False, "canTrade": True, "canDeposit": True}
        status |= {"canWithdraw": True, "updateTime": 0, "multiAssetsMargin": False, "tradeGroupId": -1}
        row = status | row
        listed = [asset | {"marginAvailable": True} for asset in listed]
        row["assets"] = listed
        row["positions"] = [v2_position(floor, account, p) for p in every_position(floor, account)]
        return row
    row["assets"] = listed
    row["positions"] = [v3_position(floor, account, p) for p in shown_positions(account)]
    return row


def shown_positions(account: Account, symbol: str | None = None) -> list[Position]:
    """Positions with a quantity or with open orders of their symbol and side."""
    found = []
    for name in busy_symbols(account) if symbol is None else [symbol]:
        working = {order.position_side for order in account.open.get(name, {}).values()}
        for side in PositionSide:
            position = account.positions.get((name, side))
            if (position is not None and position.qty) or side in working:
                found.append(position or Position(symbol=name, side=side))
    return found


def every_position(floor: Floor, account: Account, symbol: str | None = None) -> Iterable[Position]:
    """All symbols and all sides of the account's mode."""
    sides = (
        (PositionSide.BOTH, PositionSide.LONG, PositionSide.SHORT) if account.dual else (PositionSide.BOTH,)
    )
    for name in floor.symbols if symbol is None else [symbol]:
        for side in sides:
            yield account.positions.get((name, side)) or Position(symbol=name, side=side)


def margins(floor: Floor, account: Account, position: Position) -> Row:
    bound = symbol_margin(floor, account, position.symbol)
    return {
        "initialMargin": eight_or_zero(bound.initial),
        "maintMargin": eight_or_zero(bound.maintenance),
        "positionInitialMargin": eight_or_zero(bound.position),
        "openOrderInitialMargin": eight_or_zero(bound.orders),
    }


def marked(floor: Floor, position: Position) -> tuple[Decimal, Decimal]:
    mark = floor.markets[position.symbol].mark_price() or position.entry
    return mark, position.qty * mark


def v3_position(floor: Floor, account: Account, position: Position) -> Row:
    mark, notional = marked(floor, position)
    bound = margins(floor, account, position)
    return {
        "symbol": position.symbol,
        "positionSide": position.side,
        "positionAmt": floor.symbols[position.symbol].qty_text(position.qty),
        "unrealizedProfit": eight(position.unrealized(mark)),
        "isolatedMargin": "0",
        "notional": eight_or_zero(notional),
        "isolatedWallet": "0",
        "initialMargin": bound["initialMargin"],
        "maintMargin": bound["maintMargin"],
        "updateTime": position.updated_ms,
    }


def v2_position(floor: Floor, account: Account, position: Position) -> Row:
    if not position.qty and not account.open.get(position.symbol):
        bound: Row = dict.fromkeys(MARGIN_NAMES, "0")
        bids = asks = mark = notional = ZERO
    else:
        bound = margins(floor, account, position)
        bids, asks = account.open_notional(position.symbol)
        mark, notional = marked(floor, position)
    leverage = floor.leverage(account, position.symbol)
    return {
        "symbol": position.symbol,
        **bound,
        "unrealizedProfit": eight(position.unrealized(mark)),
        "leverage": str(leverage),
        "isolated": account.isolated.get(position.symbol, False),
        "entryPrice": price_or_zero(position.entry),
        "breakEvenPrice": price_or_zero(position.break_even.quantize(Decimal("1e-8"))),
        "maxNotional": plain(cap_at(floor.symbols[position.symbol], leverage)),
        "bidNotional": eight_or_zero(bids),
        "askNotional": eight_or_zero(asks),
        "positionSide": position.side,
        "positionAmt": amount_or_zero(floor, position),
        "notional": eight_or_zero(notional),
        "isolatedWallet": "0",
        "updateTime": position.updated_ms,
    }


def amount_or_zero(floor: Floor, position: Position) -> str:
    """Version 2 writes a flat position as a bare zero, every other padded to the symbol's precision."""
    return floor.symbols[position.symbol].qty_text(position.qty) if position.qty else "0"


def risk_row(floor: Floor, account: Account, position: Position, version: int) -> Row:
    """Give one row of positionRisk."""
    mark, notional = marked(floor, position)
    head = {
        "symbol": position.symbol,
        "positionSide": position.side,
        "positionAmt": floor.symbols[position.symbol].qty_text(position.qty),
        "entryPrice": price_or_zero(position.entry),
        "breakEvenPrice": price_or_zero(position.break_even.quantize(Decimal("1e-8"))),
        "markPrice": eight(mark),
        "unRealizedProfit": eight(position.unrealized(mark)),
        "liquidationPrice": eight_or_zero(liquidation_price(floor, account, position)),
    }
    if version == 2:
        leverage = floor.leverage(account, position.symbol)
        isolated = account.isolated.get(position.symbol, False)
        return head | {
            "leverage": str(leverage),
            "maxNotionalValue": plain(cap_at(floor.symbols[position.symbol], leverage)),
            "marginType": "isolated" if isolated else "cross",
            "isolatedMargin": "0.00000000",
            "isAutoAddMargin": "false",
            "notional": eight_or_zero(notional),
            "isolatedWallet": "0",
            "updateTime": position.updated_ms,
        }
    bids, asks = account.open_notional(position.symbol)
    return head | {
        "isolatedMargin": "0",
        "notional": eight_or_zero(notional),
        "marginAsset": floor.symbols[position.symbol].margin_asset,
        "isolatedWallet": "0",
        **margins(floor, account, position),
        "adl": 1 if position.qty else 0,
        "bidNotional": eight_or_zero(bids),
        "askNotional": eight_or_zero(asks),
        "updateTime": position.updated_ms,
    }


def price_or_zero(price: Decimal) -> str:
    return plain(price) if price else "0.0"


def eight_or_zero(amount: Decimal) -> str:
    return eight(amount) if amount else "0"


def symbol_config_row(floor: Floor, account: Account, symbol: str) -> Row:
    leverage = floor.leverage(account, symbol)
    return {
        "symbol": symbol,
        "marginType": "ISOLATED" if account.isolated.get(symbol, False) else "CROSSED",
        "isAutoAddMargin": False,
        "leverage": leverage,
        "maxNotionalValue": plain(cap_at(floor.symbols[symbol], leverage)),
    }
