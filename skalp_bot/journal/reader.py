"""Reading the journal: rows in pages, the newest checkpoint, what came after, whether the chain holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import apsw

from aurora.model.facts import DurableFact, EpochTaken
from aurora.model.numbers import Nanos
from skalp_bot.journal import schema
from skalp_bot.journal.codec import parsed, reader_of
from skalp_bot.journal.rows import CHECKPOINT, Row, chained
from skalp_bot.journal.schema import Fingerprint
from skalp_bot.ports import JournalError

T = TypeVar("T")
NEWEST_CHECKPOINT = f"where kind = '{CHECKPOINT}' order by id desc limit 1"
TOOK_EPOCH = "kind in ('EpochTaken', 'Started')"  # As a fact of the shell's, or of the first step.
PAGE = 500  # A long read would keep the writer from recycling its log.
COLUMNS = "id, kind, seq, ts, body, commands, facts, hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpointed(Generic[T]):
    """The whole state as it was after row ``until``; rows behind that are told by themselves."""

    until: int
    ts: Nanos
    value: T


class JournalReader:
    """Read-only; many may read while one writes. Every query is its own short transaction."""

    def __init__(self, path: Path, connection: apsw.Connection | None = None) -> None:
        self.path = path
        self._connection = connection or schema.open_reader(path)
        self.account: Fingerprint = schema.account_of(self._connection)

    def close(self) -> None:
        self._connection.close()

    def read_rows(self, *, after: int = 0, mentioning: str = "") -> Iterator[Row]:
        """Rows with an id above ``after``, oldest first; only those whose text holds ``mentioning``."""
        where = "id > ?"
        if mentioning:
            where += " and (instr(commands, ?2) or instr(facts, ?2) or instr(ifnull(body, ''), ?2))"
        while True:
            bindings: tuple[Any, ...] = (after, mentioning) if mentioning else (after,)
            page = self._rows(f"where {where} order by id limit {PAGE}", bindings)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].id

    def newest(self, count: int) -> tuple[Row, ...]:
        """The last rows, oldest first."""
        return tuple(reversed(self._rows("order by id desc limit ?", (count,))))

    def last_checkpoint(self, kind: type[T]) -> Checkpointed[T] | None:
        rows = self._rows(NEWEST_CHECKPOINT, ())
        if not rows:
            return None
        row = rows[0]
        raw = parsed((row.body or "").encode())
        late = isinstance(raw, dict) and "until" in raw  # Else written in its place, as all were once.
        until, state = (raw["until"], raw["state"]) if late else (row.id - 1, raw)
        return Checkpointed(until=until, ts=row.ts, value=reader_of(kind)(state))

    def facts_after(self, checkpoint: Checkpointed[Any] | None) -> Iterator[DurableFact]:
        """Durable facts since the checkpoint, in order; all there are when there is none."""
        for row in self.read_rows(after=checkpoint.until if checkpoint else 0):
            yield from row.durable_facts

    def last_epoch(self) -> int:
        """The newest process epoch taken; 0 when none was."""
        rows = self._rows(f"where {TOOK_EPOCH} order by id desc limit 1", ())
        epochs = [fact.epoch for row in rows for fact in row.durable_facts if isinstance(fact, EpochTaken)]
        return max(epochs, default=0)

    def verify_chain(self, *, after: int = 0) -> int:
        """Rows checked; JournalError names the first that was changed, removed or put in."""
        before = self.account.genesis if after == 0 else self._hash_of(after)
        expected = after + 1
        for row in self.read_rows(after=after):
            if row.id != expected:
                raise JournalError(f"journal {self.path}: row {expected} is missing (found {row.id})")
            if not chained(row, before):
                raise JournalError(f"journal {self.path}: row {row.id} is not what was written; {ADVICE}")
            before, expected = row.hash, row.id + 1
        return expected - after - 1

    def tip(self) -> tuple[int, bytes]:
        """Id and hash of the last row; the genesis hash when there is none."""
        newest = self.newest(1)
        return (newest[0].id, newest[0].hash) if newest else (0, self.account.genesis)

    def checkpointed_until(self) -> int:
        """The last row the newest checkpoint knows of; 0 when there is none."""
        until_of = "ifnull(json_extract(body, '$.until'), id - 1)"
        for row_id, until in self._query(f"id, {until_of} from rows {NEWEST_CHECKPOINT}"):
            if not isinstance(until, int) or not 0 <= until < row_id:
                raise JournalError(f"journal {self.path}: row {row_id} is no checkpoint; {ADVICE}")
            return until
        return 0

    def _hash_of(self, row_id: int) -> bytes:
        rows = self._rows("where id = ?", (row_id,))
        if not rows:
            raise JournalError(f"journal {self.path}: row {row_id} is missing")
        return rows[0].hash

    def _rows(self, clause: str, bindings: tuple[Any, ...]) -> list[Row]:
        return [
            Row(id=i, kind=kind, seq=seq, ts=ts, body=body, commands=commands, facts=facts, hash=digest)
            for i, kind, seq, ts, body, commands, facts, digest in self._query(
                f"{COLUMNS} from rows {clause}", bindings
            )
        ]

    def _query(self, query: str, bindings: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return list(self._connection.execute(f"select {query}", bindings))
        except apsw.Error as error:
            raise JournalError(f"journal {self.path} cannot be read: {error}") from error


ADVICE = "restore a backup, or move the file aside and let the next start adopt what the exchange shows"
