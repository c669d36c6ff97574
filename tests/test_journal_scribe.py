"""The scribe: the same bytes as without it, every change told, and nothing kept that the last state lacks."""

import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256

import orjson
import pytest

from aurora.model.fill import CashFlow
from aurora.model.instrument import Instrument
from aurora.model.numbers import Price, Qty
from aurora.model.order import Order
from aurora.state import Checkpoint
from skalp_bot.clock import SystemClock
from skalp_bot.journal.codec import decode, encode
from skalp_bot.journal.rows import SLICE, chain_hash
from skalp_bot.journal.scribe import BREATH_S, Breath, Scribe, lasting
from skalp_bot.ports import JournalError
from tests.desk import Desk


@dataclass(frozen=True)  # Without slots, so that it can be watched.
class Leaf:
    name: str


@dataclass
class Count:
    so_far: int


@dataclass(frozen=True)
class Trunk:
    leaves: tuple[Leaf, ...]
    counts: tuple[Count, ...] = ()
    twigs: tuple["Trunk", ...] = ()


def scribe(breathe: Callable[[], None] = lambda: None) -> Scribe:
    return Scribe(breathe)


def told(writer: Scribe, state: object) -> str:
    return "".join(writer.write(state))


def lived(desk: Desk) -> Checkpoint:
    """A state that has traded since the last one."""
    desk.enter()
    desk.run(2.0)
    return desk.engine.state.checkpoint()


def test_a_checkpoint_of_reused_texts_is_the_one_written_anew_byte_for_byte() -> None:
    desk, writer = Desk().open(), scribe()
    states = [lived(desk)]
    for price in ("60010", "60400", "59000", "60000"):
        desk.price(price)
        desk.run(3.0)
        states.append(desk.engine.state.checkpoint())
    texts = [told(writer, state) for state in (*states, states[-1])]
    assert texts == [encode(state).decode() for state in (*states, states[-1])]
    assert len(set(texts)) == len(states)
    assert decode(texts[-1].encode(), Checkpoint) == states[-1]


def test_a_record_that_is_still_the_same_object_is_not_told_again_and_a_changed_one_is() -> None:
    writer, leaves = scribe(), (Leaf("a"), Leaf("b"))
    writer.write(Trunk(leaves))
    object.__setattr__(leaves[0], "name", "never told")  # Nobody does that; it shows what is reused.
    changed = Trunk((leaves[0], replace(leaves[1], name="c")))
    read = decode(told(writer, changed).encode(), Trunk)
    assert read.leaves == (Leaf("a"), Leaf("c"))


def test_it_breathes_after_every_record_told_or_not_and_every_one_forgotten() -> None:
    breaths: list[None] = []
    writer, leaves = scribe(lambda: breaths.append(None)), (Leaf("a"), Leaf("b"))
    for state, counted in ((Trunk(leaves), 2), (Trunk(leaves), 4), (Trunk(()), 6)):
        writer.write(state)
        assert len(breaths) == counted


@pytest.mark.parametrize("within", [lambda trunk: trunk, lambda trunk: Trunk((), twigs=(trunk,))])
def test_what_can_change_in_place_is_told_every_time(within: Callable[[Trunk], Trunk]) -> None:
    writer, count = scribe(), Count(1)
    state = within(Trunk((), (count,)))
    for so_far in (1, 2, 3):
        count.so_far = so_far
        assert told(writer, state) == encode(state).decode()


def test_a_record_in_the_place_of_one_that_is_gone_is_told() -> None:
    writer = scribe()
    texts = [told(writer, Trunk((Leaf(f"{number}"),))) for number in range(200)]  # In one place in memory.
    assert texts == [encode(Trunk((Leaf(f"{number}"),))).decode() for number in range(200)]


def test_nothing_is_kept_that_the_last_state_lacks() -> None:
    writer, leaf = scribe(), Leaf("a")
    watched = weakref.ref(leaf)
    writer.write(Trunk((leaf,)))
    del leaf
    gc.collect()
    assert watched() is not None  # Else another object might take its place, and its text.
    writer.write(Trunk(()))
    gc.collect()
    assert watched() is None


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (Trunk((Leaf(7),)), "Trunk.leaves: Leaf.name: expected str, got int 7"),  # type: ignore[arg-type]
        (Trunk([Leaf("a")]), "Trunk.leaves: expected tuple, got list"),  # type: ignore[arg-type]
        (Trunk((), (Count(2**70),)), "Integer exceeds 64-bit range"),
    ],
)
def test_what_cannot_be_written_says_where_and_the_next_state_can(state: Trunk, said: str) -> None:
    writer, leaf = scribe(), Leaf("a")
    writer.write(Trunk((leaf,)))
    with pytest.raises(JournalError) as refused:
        writer.write(state)
    assert said in str(refused.value)
    assert told(writer, Trunk((leaf,))) == encode(Trunk((leaf,))).decode()


def test_what_a_state_is_made_of_lasts_and_what_holds_a_changeable_thing_does_not() -> None:
    assert all(lasting(kind) for kind in (Checkpoint, Order, Instrument, CashFlow, Leaf))
    assert not lasting(Count)
    assert not lasting(Trunk)


def test_a_breath_is_short_and_skipped_in_a_hurry() -> None:
    clock = SystemClock()
    breath = Breath(clock)
    paused = clock.monotonic()
    breath.take()
    assert clock.monotonic() - paused >= BREATH_S * 1e9 / 2
    breath.hurry()
    hurried = clock.monotonic()
    for _ in range(2_000):
        breath.take()
    assert clock.monotonic() - hurried < 2_000 * BREATH_S * 1e9


def test_a_book_says_the_same_until_it_changes() -> None:
    desk = Desk().open()
    before = lived(desk).ledger.books
    assert desk.engine.state.checkpoint().ledger.books[0] is before[0]
    book = desk.engine.state.durable.ledger._books["BTCUSDT"]
    book.adopt(Qty(Decimal(3)), Price(Decimal(60_000)))
    adopted = desk.engine.state.checkpoint().ledger.books[0]
    assert (adopted.base.qty, adopted.adopted_id) == (Qty(Decimal(3)), book.last_id)


@pytest.mark.parametrize("length", [0, SLICE, SLICE + 1, 3 * SLICE + 5])
def test_the_hash_of_a_long_body_is_that_of_the_whole(length: int) -> None:
    body = ('"ü\\\n\u2028€😀{' * (length // 8 + 1))[:length]
    whole = sha256(b"before" + orjson.dumps((7, "Checkpoint", 1, 2, body, "[]", "[{}]"))).digest()
    assert chain_hash(b"before", (7, "Checkpoint", 1, 2), body, ("[]", "[{}]")) == whole
