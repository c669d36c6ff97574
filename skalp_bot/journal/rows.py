"""A row of the journal: one step, one fact of the shell's, or one checkpoint; chained by hashes."""

from collections.abc import Iterable
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
    """A row before it has its place in the chain; a ``body`` that is text is written already."""

    kind: str
    seq: int
    ts: Nanos
    body: object
    commands: tuple[Command, ...] = ()
    facts: tuple[Fact, ...] = ()


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
    body = draft.body if draft.body is None or isinstance(draft.body, str) else encode(draft.body).decode()
    commands, facts = encode(draft.commands).decode(), encode(draft.facts).decode()
    return Row(
        id=row_id,
        kind=draft.kind,
        seq=draft.seq,
        ts=draft.ts,
        body=body,
        commands=commands,
        facts=facts,
        hash=chain_hash(before, (row_id, draft.kind, draft.seq, draft.ts), body, (commands, facts)),
    )


def checkpointed(state: Iterable[str], *, until: int) -> str:
    """The body of a checkpoint: the state as it was after row ``until``, perhaps not the last before it."""
    return "".join((f'{{"until":{until},"state":', *state, "}"))


def chained(row: Row, before: bytes) -> bool:
    """Whether the row is what was written behind ``before``."""
    return (
        chain_hash(before, (row.id, row.kind, row.seq, row.ts), row.body, (row.commands, row.facts))
        == row.hash
    )


def chain_hash(
    before: bytes, head: tuple[int, str, int, int], body: str | None, tail: tuple[str, str]
) -> bytes:
    """Of the hash before and every column, unambiguously: as one list in JSON.

    A long body is quoted slice by slice: a thread that did it at once would keep all others from running.
    """
    if body is None or len(body) <= SLICE:
        return sha256(before + orjson.dumps((*head, body, *tail))).digest()
    digest = sha256(before + orjson.dumps(head)[:-1] + b',"')
    for begin in range(0, len(body), SLICE):
        digest.update(orjson.dumps(body[begin : begin + SLICE])[1:-1])
    digest.update(b'",' + orjson.dumps(tail)[1:])
    return digest.digest()


def next_epoch(last: int, now: Nanos) -> int:
    """Above every epoch journaled, and above what a lost journal could have held by then."""
    return max(last + 1, now // 1_000_000_000 - EPOCH_ZERO)
