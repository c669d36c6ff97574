"""For all stories: the order and the number of their tellings change nothing, and a restart neither."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from aurora.ledger import Ledger
from aurora.model.facts import DurableFact, FillBooked, FlowBooked, PositionAdopted, WalletOpened
from aurora.model.fill import CashFlow, Fill, FlowKind
from aurora.model.numbers import Price, Qty, Quote
from aurora.model.order import Side
from aurora.model.position import Position
from tests.kit import BTC, ETH, START, at, fill, flow

OPENED = WalletOpened(asset="USDT", wallet=Quote(Decimal(1000)), at=START)
cents = st.integers(-500_000, 500_000).map(lambda n: str(Decimal(n) / 100))


@st.composite
def fills(draw: st.DrawFn) -> list[Fill]:
    ids = draw(st.lists(st.integers(1, 10**9), unique=True, min_size=1, max_size=12))
    return [
        fill(
            trade_id,
            draw(st.sampled_from(Side)),
            str(Decimal(draw(st.integers(1, 5_000))) / 1_000),
            str(Decimal(draw(st.integers(1, 10**7))) / 10),
            symbol=draw(st.sampled_from((BTC, ETH))),
            fee=str(Decimal(draw(st.integers(-100, 1_000))) / 10**8),
            fee_asset=draw(st.sampled_from(("USDT", "BNB"))),
            realized=draw(cents),
        )
        for trade_id in ids
    ]


@st.composite
def retold(draw: st.DrawFn) -> tuple[list[Fill], list[Fill]]:
    """A story, and the same told in some order with repetitions."""
    story = draw(fills())
    again = draw(st.lists(st.sampled_from(story), max_size=8))
    return story, draw(st.permutations([*story, *again]))


@st.composite
def facts(draw: st.DrawFn) -> list[DurableFact]:
    """Anything that happens to books, adoptions and flows included."""
    booked: list[DurableFact] = [FillBooked(fill=one) for one in draw(fills())]
    for number in range(draw(st.integers(0, 4))):
        news = flow(
            draw(cents),
            draw(st.sampled_from(FlowKind)),
            flow_id=draw(st.sampled_from(("", str(number)))),
            when=at(draw(st.integers(0, 100))),
        )
        booked.append(FlowBooked(flow=news, told_before=draw(st.booleans())))
    if draw(st.booleans()):
        qty = Qty(Decimal(draw(st.integers(-5, 5))))
        adopted = PositionAdopted(symbol=BTC, qty=qty, entry=Price(Decimal(100)), why="", at=START)
        booked.append(adopted)
    return draw(st.permutations(booked))


def told(story: list[Fill]) -> Ledger:
    ledger = Ledger()
    ledger.apply(OPENED)
    for one in story:
        ledger.apply(FillBooked(fill=one))
    return ledger


@given(retold())
def test_fills_in_any_order_and_duplication_give_one_ledger(stories: tuple[list[Fill], list[Fill]]) -> None:
    once, again = stories
    straight = told(sorted(once, key=lambda one: (one.symbol, one.trade_id)))
    ledger = told(again)
    assert ledger.checkpoint() == straight.checkpoint()
    assert ledger.positions() == straight.positions()


@given(fills())
def test_a_position_is_the_fold_of_its_trades(story: list[Fill]) -> None:
    ledger = told(story)
    for symbol in (BTC, ETH):
        expected = Position(symbol=symbol)
        for one in sorted((f for f in story if f.symbol == symbol), key=lambda f: f.trade_id):
            expected = expected.after(one.side, one.price, one.qty)
        assert ledger.position(symbol) == expected


@given(fills())
def test_a_wallet_is_its_opening_and_every_cause_since(story: list[Fill]) -> None:
    ledger = told(story)
    fees = sum((one.fee for one in story if one.fee_asset == "USDT"), Decimal(0))
    assert ledger.wallet("USDT") == 1000 + sum(one.realized for one in story) - fees
    assert ledger.wallet("BNB") == -sum((one.fee for one in story if one.fee_asset == "BNB"), Decimal(0))


@given(facts(), st.data())
@settings(max_examples=200)
def test_a_restart_at_any_point_changes_nothing(story: list[DurableFact], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(story)))
    live = Ledger()
    restarted = Ledger()
    for ledger in (live, restarted):
        ledger.apply(OPENED)
        for fact in story[:cut]:
            ledger.apply(fact)
    restarted = Ledger.restore(restarted.checkpoint())
    for fact in story[cut:]:
        live.apply(fact)
        restarted.apply(fact)
    assert restarted.checkpoint() == live.checkpoint()
    assert restarted.positions() == live.positions()
    assert restarted.unrealized(BTC, 123.0) == live.unrealized(BTC, 123.0)


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.integers(0, 5)), max_size=10))
def test_a_flow_is_never_booked_more_often_than_its_louder_teller_told_it(
    tellings: list[tuple[int, bool, int]],
) -> None:
    """Stream and income each tell every flow once at most; the wallet moves by the longer of the two."""
    ledger = Ledger()
    ledger.apply(OPENED)
    heard: dict[tuple[int, bool], int] = {}
    for number, (amount, by_stream, second) in enumerate(tellings):
        flow_id = "" if by_stream else str(number)
        news: CashFlow = flow(str(amount), FlowKind.TRANSFER, flow_id=flow_id, when=at(second + number / 100))
        heard[amount, by_stream] = heard.get((amount, by_stream), 0) + 1
        ledger.apply(FlowBooked(flow=news, told_before=ledger.flow_match(news) is not None))
    expected = sum(
        amount * max(heard.get((amount, True), 0), heard.get((amount, False), 0)) for amount in (1, 2, 3)
    )
    assert ledger.transfers == expected
