"""A row of the journal: one step, one fact of the shell's, or one checkpoint; chained by hashes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

import orjson

from aurora.model.commands import Command
from aurora.model.events import Event
from aurora.model.facts import DurableFact, Fact, SoftFact
from aurora.model.numbers import Nanos
from aurora.model.step import Step
from skalp_bot.journal.codec import decode, encode

CHECKPOINT = "Checkpoint"
SLICE = 1 << 16  # Characters.
EPOCH_ZERO = 1_735_689_600  # 2025-01-01 00:00:00 UTC, in Unix seconds.


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``kind`` is the event's class name; for a fact of the shell's, the fact's; or Checkpoint.

    ``body`` is the event, or what ``checkpointed`` wrote; a fact of the shell's own has none.
    """

    id: int  # 1, 2, 3, ... without gaps.
    kind: str
    seq: int  # The step's number; of the last step before it otherwise.
    ts: Nanos
    body: str | None
    commands: str
    facts: str
    hash: bytes

    @property
    def events(self) -> tuple[Event, ...]:
        """The event of a step; nothing for other rows."""
        if self.body is None or self.kind == CHECKPOINT:
            return ()
        return (decode(self.body.encode(), Event),)

    @property
    def commands_given(self) -> tuple[Command, ...]:
        given: tuple[Command, ...] = decode(self.commands.encode(), tuple[Command, ...])
        return given

    @property
    def facts_concluded(self) -> tuple[Fact, ...]:
        concluded: tuple[Fact, ...] = decode(self.facts.encode(), tuple[Fact, ...])
        return concluded

    @property
    def durable_facts(self) -> tuple[DurableFact, ...]:
        return tuple(fact for fact in self.facts_concluded if not isinstance(fact, SoftFact))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A row before it has its place in the chain."""

    kind: str
    seq: int
    ts: Nanos
    body: object
    commands: tuple[Command, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A body that is text already; ``quoted`` is what its hash will be made of."""

    text: str
    quoted: tuple[bytes, ...]


def of_step(step: Step) -> Draft:
    return Draft(
        kind=type(step.event).__name__,
        seq=step.seq,
        ts=step.event.ts_recv,
        body=step.event,
        commands=step.commands,
        facts=step.facts,
    )


def placed(draft: Draft, row_id: int, before: bytes) -> Row:
    """The draft encoded and chained behind the row whose hash is ``before``."""
    body: str | None = None
    quoted: Iterable[bytes] = ()
    if isinstance(draft.body, Written):
        body, quoted = draft.body.text, draft.body.quoted
    elif draft.body is not None:
        body = encode(draft.body).decode()
    commands, facts = encode(draft.commands).decode(), encode(draft.facts).decode()
    return Row(
        id=row_id,
        kind=draft.kind,
        seq=draft.seq,
        ts=draft.ts,
        body=body,
        commands=commands,
        facts=facts,
        hash=chain_hash(before, (row_id, draft.kind, draft.seq, draft.ts), body, (commands, facts), quoted),
    )


def checkpointed(state: Iterable[str], *, until: int, breathe: Callable[[], None]) -> Written:
    """The body of a checkpoint: the state as it was after row ``until``, perhaps not the last before it."""
    text = "".join((f'{{"until":{until},"state":', *state, "}"))
    quoted = []
    for piece in slices_quoted(text):
        quoted.append(piece)
        breathe()
    return Written(text=text, quoted=tuple(quoted))


def chained(row: Row, before: bytes) -> bool:
    """Whether the row is what was written behind ``before``."""
    return (
        chain_hash(before, (row.id, row.kind, row.seq, row.ts), row.body, (row.commands, row.facts))
        == row.hash
    )


def chain_hash(
    before: bytes,
    head: tuple[int, str, int, int],
    body: str | None,
    tail: tuple[str, str],
    quoted: Iterable[bytes] = (),
) -> bytes:
    """Of the hash before and every column, unambiguously: as one list in JSON."""
    if body is None or len(body) <= SLICE:
        return sha256(before + orjson.dumps((*head, body, *tail))).digest()
    digest = sha256(before + orjson.dumps(head)[:-1] + b',"')
    for piece in quoted or slices_quoted(body):
        digest.update(piece)
    digest.update(b'",' + orjson.dumps(tail)[1:])
    return digest.digest()


def slices_quoted(text: str) -> Iterator[bytes]:
    """As a string of JSON; a thread that did a long one at once would keep all others from running."""
    for begin in range(0, len(text), SLICE):
        yield orjson.dumps(text[begin : begin + SLICE])[1:-1]


def next_epoch(last: int, now: Nanos) -> int:
    """Above every epoch journaled, and above what a lost journal could have held by then."""
    return max(last + 1, now // 1_000_000_000 - EPOCH_ZERO)
