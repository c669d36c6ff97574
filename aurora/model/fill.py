"""Money that moved: trades of ours and cash flows without a trade."""

from dataclasses import dataclass
from enum import StrEnum

from aurora.model.numbers import Nanos, Price, Qty, Quote
from aurora.model.order import Side


class FillSource(StrEnum):
    STREAM = "STREAM"
    QUERY = "QUERY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One trade of ours; (symbol, trade_id) names it whoever tells it. Fee positive is paid."""

    symbol: str
    trade_id: int
    client_id: str  # Empty when only the exchange's order id is known.
    exchange_id: str
    side: Side
    price: Price
    qty: Qty
    fee: Quote
    fee_asset: str
    realized: Quote  # As the exchange booked it.
    maker: bool
    ts_event: Nanos
    ts_recv: Nanos
    source: FillSource = FillSource.STREAM


class FlowKind(StrEnum):
    FUNDING = "FUNDING"
    TRANSFER = "TRANSFER"  # Deposits and withdrawals: not profit, so drawdown must not see them.
    OTHER = "OTHER"  # Rebates, insurance, adjustments: profit or loss without a trade.


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFlow:
    """A wallet change without a trade; ``flow_id`` is the exchange's transaction id, if it was told."""

    kind: FlowKind
    asset: str
    amount: Quote  # Positive is received.
    symbol: str
    label: str  # The exchange's own word: FUNDING_FEE, TRANSFER, INSURANCE_CLEAR, ...
    flow_id: str
    ts_event: Nanos
    ts_recv: Nanos
