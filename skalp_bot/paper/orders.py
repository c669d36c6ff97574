"""Orders as the venue holds them, the requests that ask for them, and the words both use."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class PositionSide(StrEnum):
    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    GTD = "GTD"
    RPI = "RPI"
    GTE_GTC = "GTE_GTC"


class OrderStatus(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class Execution(StrEnum):
    """Why an ORDER_TRADE_UPDATE is sent (its field x)."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    CALCULATED = "CALCULATED"
    AMENDMENT = "AMENDMENT"


class AlgoStatus(StrEnum):
    NEW = "NEW"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class WorkingType(StrEnum):
    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


class Stp(StrEnum):
    """Self-trade prevention; the taker's mode decides."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class PriceMatch(StrEnum):
    NONE = "NONE"
    OPPONENT = "OPPONENT"
    OPPONENT_5 = "OPPONENT_5"
    OPPONENT_10 = "OPPONENT_10"
    OPPONENT_20 = "OPPONENT_20"
    QUEUE = "QUEUE"
    QUEUE_5 = "QUEUE_5"
    QUEUE_10 = "QUEUE_10"
    QUEUE_20 = "QUEUE_20"


class RespType(StrEnum):
    ACK = "ACK"
    RESULT = "RESULT"


class Expiry(StrEnum):
    """Field er of ORDER_TRADE_UPDATE."""

    NONE = "0"
    STP = "1"
    IOC = "2"
    IOC_BY_STP = "3"
    REDUCE_ONLY = "4"
    LIQUIDATION = "5"
    GTE = "6"
    DELISTED = "7"
    AFTER_TRIGGER = "8"
    MARKET = "9"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """POST order. None means the parameter was not sent: presence itself is judged by the venue."""

    symbol: str
    side: Side
    type: OrderType
    position_side: PositionSide | None = None
    time_in_force: TimeInForce | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    reduce_only: bool | None = None
    close_position: bool | None = None
    client_order_id: str | None = None
    resp_type: RespType = RespType.ACK
    price_match: PriceMatch | None = None
    stp: Stp | None = None
    good_till_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRef:
    """Which order: by orderId or by client order id; orderId wins where both are sent."""

    symbol: str
    order_id: int | None = None
    client_order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amend:
    """PUT order."""

    ref: OrderRef
    side: Side
    qty: Decimal | None
    price: Decimal | None
    price_match: PriceMatch | None = None
    reduce_only: bool | None = None
    modify_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlgo:
    """POST algoOrder (algoType CONDITIONAL)."""

    symbol: str
    side: Side
    type: OrderType
    position_side: PositionSide | None = None
    time_in_force: TimeInForce | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    price_match: PriceMatch | None = None
    close_position: bool = False
    price_protect: bool = False
    reduce_only: bool | None = None
    activate_price: Decimal | None = None
    callback_rate: Decimal | None = None
    client_algo_id: str | None = None
    stp: Stp | None = None
    good_till_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgoRef:
    """Which conditional order: by algoId or by clientAlgoId; no symbol is needed."""

    algo_id: int | None = None
    client_algo_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which part of a history; a field left None was not asked for. Limits and windows are checked before."""

    symbol: str | None = None
    order_id: int | None = None
    from_id: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    page: int = 1
    limit: int = 500
    income_type: str | None = None


@dataclass(slots=True, kw_only=True)
class Order:
    """One regular order from acceptance to its end."""

    account_id: str
    order_id: int
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    position_side: PositionSide
    time_in_force: TimeInForce
    qty: Decimal
    price: Decimal
    reduce_only: bool
    close_position: bool
    stp: Stp
    price_match: PriceMatch
    good_till_ms: int
    created_ms: int
    updated_ms: int
    resp_type: RespType = RespType.ACK
    status: OrderStatus = OrderStatus.NEW
    filled: Decimal = ZERO
    cum_quote: Decimal = ZERO
    expiry: Expiry = Expiry.NONE
    ahead: Decimal = ZERO  # displayed quantity of the feed that still stands before this order at its price
    bound: Decimal = ZERO  # notional of this order that is in the sums of its account
    place: int = 0  # order of arrival at its price
    amends: int = 0
    modify_id: int | None = None
    algo_id: int = 0
    orig_type: OrderType = OrderType.LIMIT
    qty_accepted: Decimal = ZERO  # as first accepted; `qty` may be shrunk by the reduce-only rule
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    price_protect: bool = False

    @property
    def left(self) -> Decimal:
        return self.qty - self.filled

    @property
    def open(self) -> bool:
        return self.status in OPEN

    @property
    def avg_price(self) -> Decimal:
        return self.cum_quote / self.filled if self.filled else ZERO


@dataclass(slots=True, kw_only=True)
class AlgoOrder:
    """One conditional order; when it fires, a regular order with its client id is born."""

    account_id: str
    algo_id: int
    client_algo_id: str
    symbol: str
    side: Side
    type: OrderType
    position_side: PositionSide
    time_in_force: TimeInForce
    qty: Decimal
    price: Decimal
    trigger_price: Decimal
    working_type: WorkingType
    price_match: PriceMatch
    close_position: bool
    price_protect: bool
    reduce_only: bool
    stp: Stp
    good_till_ms: int
    created_ms: int
    updated_ms: int
    activate_price: Decimal | None = None
    callback_rate: Decimal | None = None
    status: AlgoStatus = AlgoStatus.NEW
    trigger_ms: int = 0
    fire_ms: int = 0  # when the triggered order reaches the matching engine
    activated: bool = False
    extreme: Decimal | None = None  # trailing: lowest (BUY) or highest (SELL) price since activation
    order_id: int = 0
    avg_price: Decimal = ZERO
    filled: Decimal = ZERO
    reason: str = ""

    @property
    def open(self) -> bool:
        return self.status in (AlgoStatus.NEW, AlgoStatus.TRIGGERING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """One change of an order, as GET orderAmendment lists it."""

    amendment_id: int
    symbol: str
    order_id: int
    client_order_id: str
    t_ms: int
    price_before: Decimal
    price_after: Decimal
    qty_before: Decimal
    qty_after: Decimal
    count: int


OPEN = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})
REGULAR_TYPES = frozenset({OrderType.LIMIT, OrderType.MARKET})
MARKET_ALGOS = frozenset(
    {OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET, OrderType.TRAILING_STOP_MARKET}
)
CONDITIONAL_TYPES = frozenset(OrderType) - REGULAR_TYPES
STOPS = frozenset({OrderType.STOP, OrderType.STOP_MARKET})
TAKES = frozenset({OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Something that happened and may interest a stream: a user event of one account or a market event."""

    event: str  # the wire name: ORDER_TRADE_UPDATE, bookTicker, depthUpdate, ...
    payload: dict[str, object]
    symbol: str = ""
    account_id: str | None = None  # None: a market event
