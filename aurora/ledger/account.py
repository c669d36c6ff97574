"""One asset's wallet, and everything that ever moved it."""

from dataclasses import dataclass, replace

from aurora.model.fill import CashFlow, FlowKind
from aurora.model.numbers import CONTEXT, NO_QUOTE, Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One asset's wallet by cause; fees positive are paid, everything else positive is received."""

    opened: Quote | None = None
    realized: Quote = NO_QUOTE
    fees: Quote = NO_QUOTE
    funding: Quote = NO_QUOTE
    transfers: Quote = NO_QUOTE
    other: Quote = NO_QUOTE

    @property
    def explained(self) -> Quote:
        """Everything that happened since the wallet was opened."""
        moved = add(add(self.realized, self.funding), add(self.transfers, self.other))
        return Quote(CONTEXT.subtract(moved, self.fees))

    @property
    def wallet(self) -> Quote:
        return add(self.opened or NO_QUOTE, self.explained)

    def after(self, flow: CashFlow) -> "Account":
        match flow.kind:
            case FlowKind.FUNDING:
                return replace(self, funding=add(self.funding, flow.amount))
            case FlowKind.TRANSFER:
                return replace(self, transfers=add(self.transfers, flow.amount))
            case FlowKind.OTHER:
                return replace(self, other=add(self.other, flow.amount))


def add(left: Quote, right: Quote) -> Quote:
    return Quote(CONTEXT.add(left, right))
