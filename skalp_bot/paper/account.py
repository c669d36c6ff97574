"""One customer of the venue: wallet, positions, orders, and the rows that explain every cent."""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from skalp_bot.paper.money import CONTEXT, ENTRY, ZERO, cents
from skalp_bot.paper.orders import AlgoOrder, Amendment, Order, PositionSide, Side

HISTORY_MAX = 50_000  # rows of trades and of income kept per account
PositionKey = tuple[str, PositionSide]
SumKey = tuple[PositionSide, Side, bool]  # and whether reduce-only


@dataclass(slots=True, kw_only=True)
class Position:
    """A signed quantity at an average entry price."""

    symbol: str
    side: PositionSide
    qty: Decimal = ZERO
    entry: Decimal = ZERO
    realized: Decimal = ZERO  # accumulated over the life of the account, before fees
    burden: Decimal = ZERO  # fees less realised profit since the position was last flat
    updated_ms: int = 0

    def apply(self, delta: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
        """Trade `delta` at `price`; returns realised profit and what rounding added to the world.

        Increasing weights the entry by size (14 decimals, half to even); reducing leaves it; crossing zero
        starts anew at the fill price. Realised profit is (price - entry) x closed, 8 decimals, half to even.
        """
        cost = self.entry * self.qty
        total = self.qty + delta
        realized = ZERO
        if self.qty and (self.qty > 0) != (delta > 0):
            closed = min(abs(delta), abs(self.qty))
            realized = cents((price - self.entry) * (closed if self.qty > 0 else -closed))
            if not total:
                self.entry = ZERO
            elif (total > 0) != (self.qty > 0):
                self.entry = price
        else:
            self.entry = ((cost + price * delta) / total).quantize(ENTRY, context=CONTEXT)
        residue = realized - (self.entry * total - cost - delta * price)
        self.qty = total
        self.realized += realized
        return realized, residue

    def unrealized(self, mark: Decimal) -> Decimal:
        return cents(self.qty * (mark - self.entry)) if self.qty else ZERO

    @property
    def break_even(self) -> Decimal:
        if not self.qty:
            return ZERO
        price = self.entry + self.burden / self.qty
        return max(ZERO, price)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """One fill of one account, as userTrades lists it."""

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    position_side: PositionSide
    price: Decimal
    qty: Decimal
    quote: Decimal
    commission: Decimal
    asset: str
    realized: Decimal
    maker: bool
    t_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Income:
    """One change of a wallet and its cause; the wallet is always the sum of these."""

    symbol: str
    kind: str
    amount: Decimal
    asset: str
    info: str
    t_ms: int
    tran_id: int
    trade_id: str


@dataclass(slots=True, kw_only=True)
class Account:
    """Everything the venue knows about one customer."""

    id: str
    api_key: str
    secret: str
    wallet: dict[str, Decimal] = field(default_factory=dict)
    wallet_ms: dict[str, int] = field(default_factory=dict)
    positions: dict[PositionKey, Position] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    isolated: dict[str, bool] = field(default_factory=dict)
    dual: bool = False
    orders: dict[int, Order] = field(default_factory=dict)
    open: dict[str, dict[int, Order]] = field(default_factory=dict)
    sums: dict[str, dict[SumKey, Decimal]] = field(default_factory=dict)  # open notional
    by_client: dict[tuple[str, str], int] = field(default_factory=dict)
    algos: dict[int, AlgoOrder] = field(default_factory=dict)
    open_algos: dict[int, AlgoOrder] = field(default_factory=dict)
    algo_by_client: dict[str, int] = field(default_factory=dict)
    trades: deque[TradeRow] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    income: deque[Income] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    amendments: deque[Amendment] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    countdowns: dict[str, int] = field(default_factory=dict)
    listen_key: str = ""
    listen_key_ms: int = 0  # when it expires
    called_ms: int = 0  # last MARGIN_CALL
    liquidating: bool = False

    def position(self, symbol: str, side: PositionSide = PositionSide.BOTH) -> Position:
        key = (symbol, side)
        found = self.positions.get(key)
        if found is None:
            found = self.positions[key] = Position(symbol=symbol, side=side)
        return found

    def held(self, symbol: str, side: PositionSide = PositionSide.BOTH) -> Decimal:
        found = self.positions.get((symbol, side))
        return found.qty if found else ZERO

    def positions_of(self, symbol: str) -> list[Position]:
        return [p for side in PositionSide if (p := self.positions.get((symbol, side))) is not None]

    def open_orders(self, symbol: str) -> list[Order]:
        return list(self.open.get(symbol, {}).values())

    def keep(self, order: Order) -> None:
        """Take up an order that was just accepted."""
        self.orders[order.order_id] = order
        self.open.setdefault(order.symbol, {})[order.order_id] = order
        self.by_client[order.symbol, order.client_order_id] = order.order_id
        order.bound = ZERO
        self.rebind(order)

    def close(self, order: Order) -> None:
        """Drop an order that has ended from the open ones."""
        self.open.get(order.symbol, {}).pop(order.order_id, None)
        self.rebind(order)

    def rebind(self, order: Order) -> None:
        """Bring the open notional up to date after an order changed; nothing to do for market orders."""
        notional = order.left * order.price if order.open else ZERO
        if notional == order.bound:
            return
        sums = self.sums.setdefault(order.symbol, {})
        key = (order.position_side, order.side, order.reduce_only)
        sums[key] = sums.get(key, ZERO) + notional - order.bound
        order.bound = notional

    def binding(self, symbol: str, position_side: PositionSide, side: Side) -> Decimal:
        """Notional of open orders that bind margin: reduce-only ones do not."""
        sums = self.sums.get(symbol)
        return sums.get((position_side, side, False), ZERO) if sums else ZERO

    def open_notional(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Notional of open buy and of open sell orders, reduce-only ones too (fields b and a)."""
        bids = asks = ZERO
        for (_, side, _), notional in self.sums.get(symbol, {}).items():
            if side is Side.BUY:
                bids += notional
            else:
                asks += notional
        return bids, asks
