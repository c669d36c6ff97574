"""Every cent has a cause: fills and cash flows folded into wallets, positions, profit and equity."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from aurora.ledger.account import Account, add
from aurora.ledger.book import Book, BookCheckpoint, Traded
from aurora.model.facts import (
    DurableFact,
    EquityMarked,
    FillBooked,
    FlowBooked,
    IncomeRead,
    PositionAdopted,
    WalletOpened,
)
from aurora.model.fill import CashFlow, Fill, FlowKind
from aurora.model.numbers import CONTEXT, NEVER, NO_QUOTE, SECOND, Nanos, Quote, as_float
from aurora.model.position import Position

FLOWS_KEPT = 4_096  # Transaction ids remembered.
UNMATCHED_KEPT = 256
MATCH_WITHIN = 60 * SECOND  # The stream and the income rows stamp one flow this far apart at most.
MARK_EVERY = 60 * SECOND
DAY = 86_400 * SECOND


class Ledger:
    """The books. Changed by ``apply`` alone, so folding the journaled facts again gives the same books."""

    def __init__(self, quote_asset: str = "USDT") -> None:
        self.quote_asset = quote_asset
        self.day = 0  # Days since 1970 (UTC) that day_start belongs to.
        self.day_start = NO_QUOTE
        self.peak = NO_QUOTE
        self.marked = NO_QUOTE  # Equity of the last mark, moved by transfers since.
        self.marked_at = NEVER
        self.income_until = NEVER
        self.opened_at: Nanos | None = None  # When the first wallet was; earlier trades are another story's.
        self._accounts: dict[str, Account] = {}
        self._books: dict[str, Book] = {}
        self._flow_ids: dict[str, None] = {}
        self._unmatched: list[CashFlow] = []
        self._streamed: list[CashFlow] = []  # Told without a transaction id, matched since or not.
        self._flat: dict[str, Position] = {}  # Of symbols without a book: asked for on every tick.
        self._held: dict[str, tuple[float, float]] = {}  # Signed quantity and entry, for ticks.

    def apply(self, fact: DurableFact) -> None:
        match fact:
            case FillBooked(fill=fill):
                self._book_fill(fill)
            case FlowBooked(flow=flow, told_before=told_before):
                self._book_flow(flow, told_before=told_before)
            case WalletOpened(asset=asset, wallet=wallet):
                self._accounts[asset] = replace(self.account(asset), opened=wallet)
                self.opened_at = fact.at if self.opened_at is None else self.opened_at
            case PositionAdopted(symbol=symbol, qty=qty, entry=entry):
                self._book(symbol).adopt(qty, entry)
                self._refresh(symbol)
            case EquityMarked():
                self.day, self.day_start, self.peak = fact.day, fact.day_start, fact.peak
                self.marked, self.marked_at = fact.equity, fact.at
            case IncomeRead(until=until):
                self.income_until = max(self.income_until, until)
            case _:
                pass

    def knows(self, symbol: str, trade_id: int) -> bool:
        """Whether the trade is booked; one older than all that is remembered counts as booked."""
        book = self._books.get(symbol)
        return book is not None and book.knows(trade_id)

    def last_trade_id(self, symbol: str) -> int:
        """The newest trade booked; 0 for none."""
        book = self._books.get(symbol)
        return book.last_id if book is not None else 0

    def trades_of(self, symbol: str, exchange_id: str) -> tuple[Traded, ...]:
        """What is booked of one order of the exchange, as far as it is remembered."""
        book = self._books.get(symbol)
        return tuple(each for each in book.trades if each.exchange_id == exchange_id) if book else ()

    def position(self, symbol: str) -> Position:
        book = self._books.get(symbol)
        if book is not None:
            return book.position
        flat = self._flat.get(symbol)
        if flat is None:
            flat = self._flat[symbol] = Position(symbol=symbol)
        return flat

    def positions(self) -> tuple[Position, ...]:
        """Those that are not flat, by symbol."""
        return tuple(self._books[symbol].position for symbol in sorted(self._held))

    def account(self, asset: str) -> Account:
        """Every cause that moved the asset's wallet."""
        return self._accounts.get(asset, Account())

    def wallet(self, asset: str) -> Quote:
        return self.account(asset).wallet

    def wallets(self) -> tuple[tuple[str, Quote], ...]:
        """Every wallet that was opened or moved, by asset."""
        return tuple((asset, self._accounts[asset].wallet) for asset in sorted(self._accounts))

    def opened(self, asset: str) -> bool:
        """Whether the wallet's start is known."""
        return self.account(asset).opened is not None

    @property
    def realized(self) -> Quote:
        return self.account(self.quote_asset).realized

    @property
    def fees(self) -> Quote:
        """Paid in the quote asset; those paid in another one move that asset's account."""
        return self.account(self.quote_asset).fees

    @property
    def funding(self) -> Quote:
        return self.account(self.quote_asset).funding

    @property
    def transfers(self) -> Quote:
        return self.account(self.quote_asset).transfers

    @property
    def other(self) -> Quote:
        return self.account(self.quote_asset).other

    def knows_flow(self, flow_id: str) -> bool:
        return flow_id in self._flow_ids

    def flow_match(self, flow: CashFlow) -> CashFlow | None:
        """The booked flow that this one tells again.

        One teller is the stream, which has no transaction id; the other is the income list, which has one.
        Either may come first, and each booked flow is told again once at most; nearest in time wins. A
        stream may also repeat itself to the letter (two connections overlap). Should two flows be alike to
        the letter, the second comes into the books with the income list, whose ids tell them apart.
        """
        if not flow.flow_id:
            repeated = next((booked for booked in self._streamed if repeats(booked, flow)), None)
            if repeated is not None:
                return repeated
        twins = [booked for booked in self._unmatched if twin(booked, flow)]
        return min(twins, key=lambda booked: abs(booked.ts_event - flow.ts_event), default=None)

    def equity(self, marks: Mapping[str, Decimal]) -> Quote:
        """Wallet plus unrealised profit; a position without a mark (see ``unmarked``) counts at its entry."""
        total: Decimal = self.wallet(self.quote_asset)
        for position in self.positions():
            mark = marks.get(position.symbol)
            if mark is not None:
                gain = CONTEXT.multiply(position.qty, CONTEXT.subtract(mark, position.entry))
                total = CONTEXT.add(total, gain)
        return Quote(total)

    def unmarked(self, marks: Mapping[str, Decimal]) -> tuple[str, ...]:
        """Symbols held that have no mark: while there is one, equity is a guess."""
        return tuple(symbol for symbol in sorted(self._held) if symbol not in marks)

    def unrealized(self, symbol: str, mark: float) -> float:
        """For ticks: estimated, never booked."""
        held = self._held.get(symbol)
        return 0.0 if held is None else held[0] * (mark - held[1])

    def marking(self, equity: Quote, now: Nanos) -> EquityMarked | None:
        """The mark to book, if one is due: a new day, a new peak, or a minute since the last one.

        A new day starts from the larger of the last booked equity and this one, so that a loss made while
        nobody looked still counts; the minute keeps the former fresh when somebody does look.
        """
        day = now // DAY
        first = self.marked_at == NEVER
        stale = now - self.marked_at >= MARK_EVERY and equity != self.marked
        if not (first or day > self.day or equity > self.peak or stale):
            return None
        start = self.day_start
        if first:
            start = equity
        elif day > self.day:
            start = max(self.marked, equity)
        return EquityMarked(
            day=max(day, self.day),
            day_start=start,
            peak=equity if first else max(self.peak, equity),
            equity=equity,
            at=now,
        )

    def checkpoint(self) -> "LedgerCheckpoint":
        return LedgerCheckpoint(
            quote_asset=self.quote_asset,
            day=self.day,
            day_start=self.day_start,
            peak=self.peak,
            marked=self.marked,
            marked_at=self.marked_at,
            income_until=self.income_until,
            opened_at=self.opened_at,
            accounts=tuple(sorted(self._accounts.items())),
            books=tuple(self._books[symbol].checkpoint() for symbol in sorted(self._books)),
            flow_ids=tuple(self._flow_ids),
            unmatched=tuple(self._unmatched),
            streamed=tuple(self._streamed),
        )

    @classmethod
    def restore(cls, checkpoint: "LedgerCheckpoint") -> "Ledger":
        ledger = cls(checkpoint.quote_asset)
        ledger.day, ledger.day_start, ledger.peak = checkpoint.day, checkpoint.day_start, checkpoint.peak
        ledger.marked, ledger.marked_at = checkpoint.marked, checkpoint.marked_at
        ledger.income_until, ledger.opened_at = checkpoint.income_until, checkpoint.opened_at
        ledger._accounts = dict(checkpoint.accounts)
        ledger._books = {book.base.symbol: Book.restore(book) for book in checkpoint.books}
        ledger._flow_ids = dict.fromkeys(checkpoint.flow_ids)
        ledger._unmatched = list(checkpoint.unmatched)
        ledger._streamed = list(checkpoint.streamed)
        for symbol in ledger._books:
            ledger._refresh(symbol)
        return ledger

    def _book(self, symbol: str) -> "Book":
        return self._books.setdefault(symbol, Book(Position(symbol=symbol)))

    def _book_fill(self, fill: Fill) -> None:
        if self.knows(fill.symbol, fill.trade_id):
            return
        self._book(fill.symbol).add(
            Traded(
                trade_id=fill.trade_id,
                side=fill.side,
                price=fill.price,
                qty=fill.qty,
                exchange_id=fill.exchange_id,
            )
        )
        self._refresh(fill.symbol)
        quote = self.account(self.quote_asset)
        self._accounts[self.quote_asset] = replace(quote, realized=add(quote.realized, fill.realized))
        if fill.fee:
            paid = self.account(fill.fee_asset)
            self._accounts[fill.fee_asset] = replace(paid, fees=add(paid.fees, fill.fee))

    def _book_flow(self, flow: CashFlow, *, told_before: bool) -> None:
        if flow.flow_id and self.knows_flow(flow.flow_id):
            return
        known = self.flow_match(flow) if told_before else None
        if known is not None and known.flow_id != flow.flow_id:
            self._unmatched.remove(known)
        if flow.flow_id:
            self._flow_ids[flow.flow_id] = None
            drop_oldest(self._flow_ids)
        else:
            self._streamed = [*self._streamed, flow][-UNMATCHED_KEPT:]
        if told_before:
            return
        self._unmatched = [*self._unmatched, flow][-UNMATCHED_KEPT:]
        self._accounts[flow.asset] = self.account(flow.asset).after(flow)
        if flow.kind is FlowKind.TRANSFER and flow.asset == self.quote_asset:
            self._shift(flow.amount)

    def _shift(self, amount: Quote) -> None:
        """A transfer is neither profit nor loss: what drawdown is measured from moves with it."""
        if self.marked_at != NEVER:
            self.day_start = add(self.day_start, amount)
            self.peak = add(self.peak, amount)
            self.marked = add(self.marked, amount)

    def _refresh(self, symbol: str) -> None:
        position = self._books[symbol].position
        if position.flat:
            self._held.pop(symbol, None)
        else:
            self._held[symbol] = (as_float(position.qty), as_float(position.entry))


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCheckpoint:
    """The whole ledger as a value."""

    quote_asset: str
    day: int
    day_start: Quote
    peak: Quote
    marked: Quote
    marked_at: Nanos
    income_until: Nanos
    opened_at: Nanos | None
    accounts: tuple[tuple[str, Account], ...]
    books: tuple[BookCheckpoint, ...]
    flow_ids: tuple[str, ...]
    unmatched: tuple[CashFlow, ...]
    streamed: tuple[CashFlow, ...]


def twin(booked: CashFlow, told: CashFlow) -> bool:
    """Whether two tellers, of whom one gives transaction ids and one does not, tell of one flow."""
    return (
        bool(booked.flow_id) != bool(told.flow_id)
        and booked.kind is told.kind
        and booked.asset == told.asset
        and booked.amount == told.amount
        and (booked.symbol == told.symbol or not (booked.symbol and told.symbol))
        and abs(booked.ts_event - told.ts_event) <= MATCH_WITHIN
    )


def repeats(booked: CashFlow, told: CashFlow) -> bool:
    """Whether it is the same message of the stream, heard again."""
    return replace(told, ts_recv=booked.ts_recv) == booked


def drop_oldest(ids: dict[str, None]) -> None:
    while len(ids) > FLOWS_KEPT:
        ids.pop(next(iter(ids)))
