"""From a state directory to an engine that remembers: journal, checkpoint, later facts, a new id epoch."""

from dataclasses import dataclass
from pathlib import Path

from aurora.config import AuroraConfig
from aurora.engine import Engine
from aurora.model.events import Started
from aurora.model.numbers import Nanos, as_float
from aurora.state import State
from skalp_bot.config import RunOptions
from skalp_bot.journal.reader import JournalReader
from skalp_bot.journal.restore import restored
from skalp_bot.journal.rows import next_epoch
from skalp_bot.journal.schema import FILE, Fingerprint, key_hash
from skalp_bot.journal.sqlite import Limits, SqliteJournal, open_journal
from skalp_bot.ports import Clock
from skalp_bot.runner.marks import Marks
from skalp_bot.runner.report import Opening
from skalp_bot.runner.venue import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What the last process left, and the event the new one begins with."""

    journal: SqliteJournal
    engine: Engine
    opening: Opening
    started: Started
    halt_reason: str


def recover(options: RunOptions, access: Access | None, clock: Clock) -> Recovered:
    """Take the lock, verify the journal, rebuild the books; nothing is sent yet.

    Without a way to the exchange the journal is taken for that of the account it tells of.
    """
    path = options.state_dir / FILE
    journal = open_journal(
        path,
        fingerprint_of(access) if access is not None else told_in(path),
        clock,
        limits=Limits(checkpoint_every=options.config.journal.checkpoint_every),
    )
    state = restored(journal.reader)
    now = Nanos(clock.now())
    halt_reason = Marks(options.state_dir).halt_reason(now)
    started = Started(
        epoch=next_epoch(journal.reader.last_epoch(), now), halt_requested=bool(halt_reason), ts_recv=now
    )
    return Recovered(
        journal=journal,
        engine=Engine(options.config.aurora, state),
        opening=opening_of(state, options.config.aurora),
        started=started,
        halt_reason=halt_reason,
    )


def fingerprint_of(access: Access) -> Fingerprint:
    hashed = key_hash(access.api_key.reveal())
    return Fingerprint(venue=access.venue.value, key_hash=hashed, instance=access.instance)


def told_in(path: Path) -> Fingerprint:
    reader = JournalReader(path)
    reader.close()
    return reader.account


def opening_of(state: State, config: AuroraConfig) -> Opening:
    durable = state.durable
    ledger = durable.ledger
    known = ledger.opened(config.quote_asset)
    orders = durable.blotter.open_orders()
    return Opening(
        wallet=ledger.wallet(config.quote_asset) if known else None,
        trading=durable.trading.state,
        unknown=tuple(order.key for order in orders if order.unknown_since is not None),
        drifts=tuple(record.drift for record in durable.drifts.values()),
        naked=tuple(
            (bracket.symbol, bracket.naked_since, as_float(bracket.qty) * as_float(bracket.entry))
            for bracket in durable.brackets.values()
            if bracket.naked_since is not None
        ),
    )
