"""From rows to the state they describe: the newest checkpoint and every fact after it."""

from aurora.state import Checkpoint, State
from skalp_bot.journal.reader import JournalReader


def restored(reader: JournalReader) -> State:
    """The durable part as it was after the last row; the soft part is empty."""
    checkpoint = reader.last_checkpoint(Checkpoint)
    state = State.restore(checkpoint.value if checkpoint is not None else None)
    for row in reader.read_rows(after=checkpoint.until if checkpoint is not None else 0):
        state.fold(row.seq, row.facts_concluded)  # A checkpoint among them concludes nothing.
    return state
