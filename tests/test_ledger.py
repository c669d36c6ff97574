"""The books: every cent has a cause, told once, whoever tells it and however often."""

from decimal import Decimal, localcontext

import pytest

from aurora.ledger import FLOWS_KEPT, MARK_EVERY, UNMATCHED_KEPT, Ledger
from aurora.ledger.book import FILLS_KEPT
from aurora.model.facts import (
    CleanStop,
    EquityMarked,
    FillBooked,
    FlowBooked,
    IncomeRead,
    PositionAdopted,
    WalletOpened,
)
from aurora.model.fill import CashFlow, FlowKind
from aurora.model.numbers import NEVER, SECOND, Nanos, Price, Qty, Quote
from aurora.model.order import Side
from tests.kit import BTC, ETH, START, at, fill, flow

D = Decimal
DAY = 86_400 * SECOND
MIDNIGHT = Nanos((START // DAY + 1) * DAY)


def opened(wallet: str = "1000") -> Ledger:
    ledger = Ledger()
    ledger.apply(WalletOpened(asset="USDT", wallet=Quote(D(wallet)), at=START))
    return ledger


def told(ledger: Ledger, news: CashFlow) -> None:
    """As the engine books it."""
    ledger.apply(FlowBooked(flow=news, told_before=ledger.flow_match(news) is not None))


def test_a_fill_moves_position_wallet_and_totals() -> None:
    ledger = opened()
    ledger.apply(FillBooked(fill=fill(7, Side.BUY, "0.010", "50000", fee="0.25")))
    ledger.apply(FillBooked(fill=fill(9, Side.SELL, "0.004", "50500", fee="0.10", realized="2")))
    assert ledger.position(BTC).qty == D("0.006")
    assert ledger.wallet("USDT") == D("1001.65")
    assert (ledger.realized, ledger.fees) == (D(2), D("0.35"))
    assert ledger.last_trade_id(BTC) == 9
    assert ledger.positions() == (ledger.position(BTC),)


def test_the_wallet_follows_the_exchange_and_not_our_arithmetic() -> None:
    ledger = opened()
    ledger.apply(FillBooked(fill=fill(1, Side.BUY, "0.003", "50000.1", fee="0")))
    ledger.apply(FillBooked(fill=fill(2, Side.SELL, "0.003", "50000.2", fee="0", realized="0.00029999")))
    assert ledger.position(BTC).realized == D("0.0003")
    assert ledger.wallet("USDT") == D("1000.00029999")


def test_a_fill_told_twice_is_booked_once() -> None:
    ledger = opened()
    for _ in range(2):
        ledger.apply(FillBooked(fill=fill(7, fee="1")))
    assert ledger.knows(BTC, 7)
    assert not ledger.knows(BTC, 8)
    assert not ledger.knows(ETH, 7)
    assert (ledger.position(BTC).qty, ledger.wallet("USDT")) == (D("0.010"), D(999))


def test_a_late_fill_takes_its_place_in_the_order_of_trades() -> None:
    late, punctual = opened(), opened()
    story = (
        fill(1, Side.BUY, "1", "100"),
        fill(2, Side.SELL, "1", "110"),
        fill(3, Side.BUY, "1", "120"),
    )
    for told_now in story:
        punctual.apply(FillBooked(fill=told_now))
    for told_now in (story[0], story[2], story[1]):
        late.apply(FillBooked(fill=told_now))
    assert late.position(BTC) == punctual.position(BTC)
    assert late.position(BTC).entry == D(120)
    assert late.checkpoint() == punctual.checkpoint()


def test_a_fee_in_another_asset_moves_that_wallet() -> None:
    ledger = opened()
    ledger.apply(WalletOpened(asset="BNB", wallet=Quote(D(1)), at=START))
    ledger.apply(FillBooked(fill=fill(1, fee="0.001", fee_asset="BNB")))
    assert ledger.wallets() == (("BNB", D("0.999")), ("USDT", D(1000)))
    assert ledger.fees == 0
    assert ledger.account("BNB").fees == D("0.001")


def test_memory_of_trades_is_bounded_and_forgets_nothing_that_counts() -> None:
    ledger = opened("0")
    for trade_id in range(1, FILLS_KEPT + 101):
        ledger.apply(FillBooked(fill=fill(trade_id, Side.BUY, "1", "100", fee="1")))
    assert len(ledger.checkpoint().books[0].trades) == FILLS_KEPT
    for trade_id in (50, 100, 101):  # Long forgotten, just forgotten, still remembered.
        assert ledger.knows(BTC, trade_id), "older than all that is remembered counts as booked"
        ledger.apply(FillBooked(fill=fill(trade_id, Side.BUY, "1", "100", fee="1")))
    assert ledger.position(BTC).qty == FILLS_KEPT + 100
    assert ledger.fees == FILLS_KEPT + 100


def test_an_adopted_position_contains_the_trades_booked_before() -> None:
    ledger = opened()
    ledger.apply(FillBooked(fill=fill(5, Side.BUY, "1", "100", fee="0")))
    ledger.apply(PositionAdopted(symbol=BTC, qty=Qty(D(3)), entry=Price(D(90)), why="test", at=at(1)))
    ledger.apply(FillBooked(fill=fill(4, Side.BUY, "1", "100", fee="0.5")))
    assert ledger.position(BTC).qty == 3, "a trade older than the adoption is inside it"
    assert ledger.wallet("USDT") == D("999.5"), "its fee is not"
    ledger.apply(FillBooked(fill=fill(6, Side.SELL, "1", "100", fee="0")))
    assert (ledger.position(BTC).qty, ledger.position(BTC).entry) == (D(2), D(90))
    assert ledger.knows(BTC, 4)
    assert ledger.knows(BTC, 5)


def test_an_adopted_flat_is_flat() -> None:
    ledger = opened()
    ledger.apply(FillBooked(fill=fill(5)))
    ledger.apply(PositionAdopted(symbol=BTC, qty=Qty(D(0)), entry=Price(D(0)), why="test", at=at(1)))
    assert ledger.positions() == ()
    assert ledger.unrealized(BTC, 60_000.0) == 0.0


def test_each_kind_of_flow_has_its_own_total() -> None:
    ledger = opened()
    told(ledger, flow("-0.5", FlowKind.FUNDING))
    told(ledger, flow("100", FlowKind.TRANSFER))
    told(ledger, flow("0.01", FlowKind.OTHER))
    assert (ledger.funding, ledger.transfers, ledger.other) == (D("-0.5"), D(100), D("0.01"))
    assert ledger.wallet("USDT") == D("1099.51")


@pytest.mark.parametrize("stream_first", [True, False])
def test_a_flow_told_by_stream_and_income_is_booked_once(*, stream_first: bool) -> None:
    ledger = opened()
    stream, row = flow("-0.5", when=at(0)), flow("-0.5", flow_id="77", symbol=BTC, when=at(3))
    for news in (stream, row) if stream_first else (row, stream):
        told(ledger, news)
    assert ledger.funding == D("-0.5")
    assert ledger.knows_flow("77")


def test_a_transaction_told_twice_is_booked_once() -> None:
    ledger = opened()
    for _ in range(2):
        told(ledger, flow("-0.5", flow_id="77"))
    assert ledger.funding == D("-0.5")


@pytest.mark.parametrize("tellings", ["ss", "ssr", "srs", "rss", "srrs", "sssr"])
def test_a_stream_that_repeats_itself_books_nothing_twice(tellings: str) -> None:
    ledger = opened()
    for teller in tellings:
        told(ledger, flow("-0.5", flow_id="77" if teller == "r" else "", when=at(0)))
    assert ledger.funding == D("-0.5")
    told(ledger, flow("-0.5", when=at(0.001)))
    assert ledger.funding == D(-1), "a later one is another one"


def test_flows_alike_to_the_letter_come_in_with_the_income_list() -> None:
    ledger = opened()
    for _ in range(2):
        told(ledger, flow("-0.5", symbol=BTC))
    assert ledger.funding == D("-0.5")
    for flow_id in ("1", "2"):
        told(ledger, flow("-0.5", symbol=BTC, flow_id=flow_id))
    assert ledger.funding == D(-1)


def test_two_equal_flows_are_two_flows() -> None:
    ledger = opened()
    told(ledger, flow("5", FlowKind.TRANSFER, when=at(0)))
    told(ledger, flow("5", FlowKind.TRANSFER, when=at(1)))
    told(ledger, flow("5", FlowKind.TRANSFER, flow_id="1", when=at(0)))
    told(ledger, flow("5", FlowKind.TRANSFER, flow_id="2", when=at(1)))
    assert ledger.transfers == 10


@pytest.mark.parametrize(
    "other",
    [
        flow("-0.5", flow_id="1", when=at(61)),
        flow("-0.50000001", flow_id="1"),
        flow("-0.5", FlowKind.OTHER, flow_id="1"),
        flow("-0.5", flow_id="1", asset="BNB"),
        flow("-0.5", flow_id="1", symbol=ETH),
        flow("-0.5", symbol=BTC, when=at(1)),
    ],
    ids=["too late", "other amount", "other kind", "other asset", "other symbol", "same teller"],
)
def test_another_flow_is_not_the_same_flow(other: CashFlow) -> None:
    ledger = opened()
    told(ledger, flow("-0.5", symbol=BTC))
    assert ledger.flow_match(other) is None


def test_the_nearest_of_equal_flows_is_the_one_repeated() -> None:
    ledger = opened()
    for seconds in (0, 30):
        told(ledger, flow("5", FlowKind.TRANSFER, when=at(seconds)))
    match = ledger.flow_match(flow("5", FlowKind.TRANSFER, flow_id="1", when=at(29)))
    assert match is not None
    assert match.ts_event == at(30)


def test_memory_of_flows_is_bounded() -> None:
    ledger = opened()
    for number in range(FLOWS_KEPT + 10):
        told(ledger, flow("1", flow_id=str(number), when=at(number * 100)))
    kept = ledger.checkpoint()
    assert len(kept.flow_ids) == FLOWS_KEPT
    assert len(kept.unmatched) == UNMATCHED_KEPT
    for number in range(UNMATCHED_KEPT + 10):
        told(ledger, flow("2", when=at(number * 100)))
    assert len(ledger.checkpoint().streamed) == UNMATCHED_KEPT
    assert not ledger.knows_flow("0")
    assert ledger.knows_flow(str(FLOWS_KEPT + 9))


def test_income_until_never_goes_back() -> None:
    ledger = opened()
    ledger.apply(IncomeRead(until=at(10)))
    ledger.apply(IncomeRead(until=at(5)))
    assert ledger.income_until == at(10)


def test_equity_is_the_wallet_and_what_is_not_yet_realized() -> None:
    ledger = opened()
    ledger.apply(FillBooked(fill=fill(1, Side.BUY, "0.010", "50000", fee="0")))
    ledger.apply(FillBooked(fill=fill(1, Side.SELL, "1", "3000", symbol=ETH, fee="0")))
    marks = {BTC: D(50_100), ETH: D(3_010)}
    assert ledger.equity(marks) == D(991)
    assert ledger.unrealized(BTC, 50_100.0) == pytest.approx(1.0)
    assert ledger.unrealized(ETH, 3_010.0) == pytest.approx(-10.0)
    assert ledger.unrealized("XRPUSDT", 1.0) == 0.0


def test_a_position_without_a_mark_is_named() -> None:
    ledger = opened()
    ledger.apply(FillBooked(fill=fill(1, fee="0")))
    assert ledger.unmarked({}) == (BTC,)
    assert ledger.equity({}) == 1000
    assert ledger.unmarked({BTC: D(1)}) == ()


def test_the_ambient_decimal_context_does_not_touch_a_wallet() -> None:
    ledger = opened("123456.12345678")
    with localcontext() as context:
        context.prec = 4
        ledger.apply(FillBooked(fill=fill(1, fee="0.00000001", realized="-0.00000002")))
        assert ledger.wallet("USDT") == D("123456.12345675")


def test_other_facts_are_none_of_the_books_business() -> None:
    ledger = opened()
    before = ledger.checkpoint()
    ledger.apply(CleanStop(at=START))
    assert ledger.checkpoint() == before


def test_the_story_starts_with_the_first_wallet() -> None:
    ledger = Ledger()
    assert ledger.opened_at is None
    assert not ledger.opened("USDT")
    ledger.apply(WalletOpened(asset="BNB", wallet=Quote(D(1)), at=at(1)))
    ledger.apply(WalletOpened(asset="USDT", wallet=Quote(D(1)), at=at(2)))
    assert ledger.opened_at == at(1)
    assert ledger.opened("USDT")


def marked(ledger: Ledger, equity: str, when: Nanos) -> EquityMarked | None:
    fact = ledger.marking(Quote(D(equity)), when)
    if fact is not None:
        ledger.apply(fact)
    return fact


def test_the_first_mark_starts_the_day_and_the_peak() -> None:
    ledger = opened()
    marked(ledger, "1000", START)
    assert (ledger.day, ledger.day_start, ledger.peak) == (START // DAY, D(1000), D(1000))


def test_a_quiet_equity_is_not_booked_every_second() -> None:
    ledger = opened()
    marked(ledger, "1000", START)
    assert marked(ledger, "999", Nanos(START + SECOND)) is None
    assert marked(ledger, "1000", Nanos(START + 2 * MARK_EVERY)) is None
    assert marked(ledger, "999", Nanos(START + MARK_EVERY)) is not None


def test_the_peak_only_rises_with_equity() -> None:
    ledger = opened()
    for second, equity in enumerate(("1000", "1010", "990")):
        marked(ledger, equity, at(second))
    assert ledger.peak == 1010
    assert ledger.day_start == 1000


def test_a_new_day_starts_from_the_larger_of_before_and_after_midnight() -> None:
    for before, after, start in (("1000", "950", "1000"), ("900", "950", "950")):
        ledger = opened()
        marked(ledger, before, Nanos(MIDNIGHT - 3_600 * SECOND))
        marked(ledger, after, Nanos(MIDNIGHT + 3_600 * SECOND))
        assert ledger.day_start == D(start)
        assert ledger.day == MIDNIGHT // DAY


def test_a_clock_that_goes_back_over_midnight_starts_no_old_day() -> None:
    ledger = opened()
    marked(ledger, "1000", MIDNIGHT)
    fact = marked(ledger, "1010", Nanos(MIDNIGHT - SECOND))
    assert fact is not None
    assert (ledger.day, ledger.day_start) == (MIDNIGHT // DAY, D(1000))


def test_transfers_move_what_drawdown_is_measured_from() -> None:
    ledger = opened()
    marked(ledger, "1000", START)
    told(ledger, flow("-400", FlowKind.TRANSFER))
    assert (ledger.day_start, ledger.peak, ledger.marked) == (D(600), D(600), D(600))
    told(ledger, flow("-1", FlowKind.FUNDING))
    assert ledger.day_start == 600, "funding is a cost, not a transfer"
    told(ledger, flow("2", FlowKind.TRANSFER, asset="BNB"))
    assert ledger.day_start == 600, "equity is counted in the quote asset alone"


def test_a_transfer_told_twice_moves_the_day_once() -> None:
    ledger = opened()
    marked(ledger, "1000", START)
    told(ledger, flow("50", FlowKind.TRANSFER))
    told(ledger, flow("50", FlowKind.TRANSFER, flow_id="1"))
    assert (ledger.day_start, ledger.peak) == (D(1050), D(1050))


def test_a_transfer_before_the_first_mark_is_in_the_first_mark() -> None:
    ledger = opened()
    told(ledger, flow("50", FlowKind.TRANSFER))
    assert ledger.marked_at == NEVER
    marked(ledger, "1050", at(1))
    assert (ledger.day_start, ledger.peak) == (D(1050), D(1050))


def test_every_wallet_is_explained_to_the_cent() -> None:
    ledger = opened("1000.5")
    ledger.apply(FillBooked(fill=fill(1, fee="0.31", realized="-4.2")))
    told(ledger, flow("-0.07"))
    account = ledger.account("USDT")
    assert account.wallet - D("1000.5") == account.explained == D("-4.58")
