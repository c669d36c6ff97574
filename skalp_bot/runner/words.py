"""The first and the last words of a run, for the person who started it."""

from typing import Any


def opening_words(
    *, venue: str, strategy: str, symbols: tuple[str, ...], state_dir: str, log: str, program: str
) -> tuple[str, ...]:
    """The first lines a person reads: what is happening, and where to look."""
    return (
        f"skalp-bot: strategy {strategy} on {', '.join(symbols)}, venue {venue}.",
        f"State: {state_dir}   (journal, lock, control socket)",
        f"Log:   {log}",
        f"Look:  {program} status --state-dir {state_dir}",
        "       (and positions, orders, gates, why-not, ledger)",
        "Stop:  Ctrl-C leaves positions protected; this closes them:",
        f"       {program} flatten --state-dir {state_dir}",
    )


def closing_words(numbers: dict[str, Any], program: str) -> tuple[str, ...]:
    """The last lines: what was earned and paid, what is still open, and whether every cent has a cause."""
    wallet, state = numbers["wallet"], numbers["state_dir"]
    left = ", ".join(f"{symbol} {qty}" for symbol, qty in numbers["positions_left"].items())
    doubts = [f"Not as it should be: {error}" for error in numbers["errors"][:5]]
    return (
        f"Ended with exit code {numbers['exit_code']} after {numbers['duration_s']:.0f} s: "
        f"{numbers['round_trips']} round trips, {numbers['fills']} fills.",
        f"Realised {numbers['realized_pnl']}, fees {numbers['fees']}, funding {numbers['funding']}.",
        f"Wallet {wallet['start']} -> {wallet['end']}, unexplained {wallet['residual']}.",
        f"Longest time without a listed stop: {numbers['unprotected_seconds_max']:.3f} s.",
        f"Still open: {left or 'nothing'}.",
        f"Read on: {program} ledger --state-dir {state}",
        "         (and positions, orders, why ID)",
        *doubts,
    )
