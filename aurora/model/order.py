"""Orders: what we ask for, what we are told, and which status may follow which."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from aurora.errors import TransitionError
from aurora.model.numbers import NEVER, NO_QTY, NO_QUOTE, Nanos, Price, Qty, Quote


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


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


class WorkingType(StrEnum):
    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


class Namespace(StrEnum):
    """Two id spaces: a triggered stop's child order carries the algo order's client id in the other one."""

    REGULAR = "REGULAR"
    ALGO = "ALGO"


class Role(StrEnum):
    """Why an order exists; the last letter of its client id."""

    ENTRY = "E"
    EXIT = "X"
    STOP = "S"
    BACKSTOP = "B"
    TAKE_PROFIT = "T"

    @property
    def protective(self) -> bool:
        return self in PROTECTIVE


PROTECTIVE = (Role.STOP, Role.BACKSTOP, Role.TAKE_PROFIT)


class OrderStatus(StrEnum):
    PENDING_NEW = "PENDING_NEW"  # Approved; the wire has not answered.
    UNKNOWN = "UNKNOWN"  # Sent, and nobody can say yet what became of it.
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    TRIGGERED = "TRIGGERED"  # An algo order whose child is on its way.
    FILLED = "FILLED"  # For an algo order: its child finished.
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"  # Refused by a code that proves it never lived.
    NOT_SENT = "NOT_SENT"  # Turned back before the wire.
    DEAD = "DEAD"  # Unknown, then proven absent after its signature had expired.

    @property
    def terminal(self) -> bool:
        return self in TERMINAL


S = OrderStatus
TERMINAL = (S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.NOT_SENT, S.DEAD)
LIVE = (S.NEW, S.PARTIALLY_FILLED, S.TRIGGERED)
ENDED_ON_EXCHANGE = (S.FILLED, S.CANCELED, S.EXPIRED)

# The rows a reader would not guess carry their reason. The same status again is always allowed.
NEXT: dict[OrderStatus, tuple[OrderStatus, ...]] = {
    S.PENDING_NEW: (S.UNKNOWN, S.REJECTED, S.NOT_SENT, S.DEAD, *LIVE, *ENDED_ON_EXCHANGE),
    S.UNKNOWN: (S.REJECTED, S.NOT_SENT, S.DEAD, *LIVE, *ENDED_ON_EXCHANGE),  # NOT_SENT: told very late.
    S.NEW: (S.PARTIALLY_FILLED, S.TRIGGERED, S.REJECTED, *ENDED_ON_EXCHANGE),  # REJECTED: a trigger refused.
    S.PARTIALLY_FILLED: (S.REJECTED, *ENDED_ON_EXCHANGE),  # REJECTED: the rest was refused.
    S.TRIGGERED: (S.REJECTED, *ENDED_ON_EXCHANGE),
    S.FILLED: (),
    S.CANCELED: (S.FILLED,),  # A fill overtook the cancel.
    S.EXPIRED: (S.FILLED,),  # The remainder's expiry was told before the last fill.
    S.REJECTED: (*LIVE, *ENDED_ON_EXCHANGE),  # Said refused, then seen alive: the sighting counts.
    S.NOT_SENT: (*LIVE, *ENDED_ON_EXCHANGE),  # Held to be unsent, then seen alive: the sighting counts.
    S.DEAD: (*LIVE, *ENDED_ON_EXCHANGE),  # Presumed dead, then seen alive: the sighting counts.
}

# Late news that says nothing new: a status told after one of the same or a later rank is no error.
RANK: dict[OrderStatus, int] = {
    S.PENDING_NEW: 0,
    S.UNKNOWN: 1,
    S.NEW: 2,
    S.PARTIALLY_FILLED: 3,
    S.TRIGGERED: 3,
    S.CANCELED: 4,
    S.EXPIRED: 4,
    S.REJECTED: 4,
    S.NOT_SENT: 4,
    S.DEAD: 4,
    S.FILLED: 5,
}


def follow(current: OrderStatus, told: OrderStatus) -> OrderStatus:
    """The status after being told ``told``; late news keeps ``current``; the impossible raises."""
    if told is current or told in NEXT[current]:
        return told
    if RANK[told] <= RANK[current]:
        return current
    raise TransitionError(f"order status {current} was told {told}")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class OrderKey:
    namespace: Namespace
    client_id: str

    def __hash__(self) -> int:
        """That of the text, which remembers it: a step of an order looks its key up a dozen times."""
        return hash(self.client_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """What execution wants, before anybody allowed it. A closing intent for all of it has no quantity."""

    symbol: str
    side: Side
    type: OrderType
    role: Role
    qty: Qty | None
    price: Price | None = None
    trigger: Price | None = None
    time_in_force: TimeInForce | None = None
    reduce_only: bool = False
    close_position: bool = False
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    level: Price | None = None  # The local level a resting stop stands behind.
    parent_id: str | None = None  # The parent order this is a slice of.
    slice_no: int = 0
    reason: str = ""

    @property
    def namespace(self) -> Namespace:
        return Namespace.REGULAR if self.type in (OrderType.LIMIT, OrderType.MARKET) else Namespace.ALGO

    @property
    def reduces(self) -> bool:
        return self.reduce_only or self.close_position


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order of ours from approval to its end; ``filled`` and ``cost`` only grow."""

    key: OrderKey
    intent: OrderIntent
    position_epoch: int
    status: OrderStatus
    created_at: Nanos
    filled: Qty = NO_QTY  # As the exchange says.
    booked: Qty = NO_QTY  # As far as the ledger has it; short of ``filled`` while a fill is missing.
    cost: Quote = NO_QUOTE  # Sum of price x quantity over the booked fills.
    exchange_id: str = ""
    signed_at: Nanos | None = None  # Our clock at the signature; the fence counts from here.
    updated_at: Nanos = NEVER
    unknown_since: Nanos | None = None
    cancel_requested_at: Nanos | None = None
    listed: bool = False  # The exchange itself showed it in a listing.
    code: int = 0  # The exchange's code when it was refused.
    why: str = ""

    @property
    def remaining(self) -> Qty:
        return Qty(max((self.intent.qty or Decimal(0)) - self.filled, Decimal(0)))

    @property
    def unsettled(self) -> Qty:
        """What it may still do to the position, or has done and the ledger does not know yet."""
        return Qty((self.remaining if self.open else Decimal(0)) + self.filled - self.booked)

    @property
    def open(self) -> bool:
        return self.status not in TERMINAL

    @property
    def restless(self) -> bool:
        """Whether something must become of it: an open order, unless it rests for as long as it likes.

        That does one the exchange has taken which is neither an entry nor bound to trade or end at once.
        """
        if self.status not in LIVE:
            return self.open
        intent = self.intent
        brief = intent.type is OrderType.MARKET or intent.time_in_force is TimeInForce.IOC
        return brief or intent.role is Role.ENTRY
