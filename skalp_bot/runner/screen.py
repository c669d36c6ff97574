"""What a person sees of a run: the first words, a live table on a terminal, and the last words."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from skalp_bot.ports import Clock

REDRAW_EVERY_S = 0.25
ALERTS_SHOWN = 3
STATE_COLOURS = {"ACTIVE": "green", "REDUCING": "yellow", "HALTED": "red"}
# Wide enough from the start that nothing moves when a position comes and goes; together within 80.
COLUMNS = {"symbol": 8, "price": 9, "position": 9, "entry": 9, "PnL": 8, "stop": 9, "target": 9, "phase": 8}


class Screen:
    """Redraws a table four times a second, off the loop."""

    def __init__(self, *, clock: Clock, view: Callable[[], dict[str, Any]], console: Console) -> None:
        self._clock = clock
        self._view = view
        self._console = console

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        live = Live(console=self._console, auto_refresh=False, transient=False)
        live.start()
        try:
            while True:
                shown = self._view()
                await loop.run_in_executor(None, live.update, drawn(shown))
                await loop.run_in_executor(None, live.refresh)
                await self._clock.sleep(REDRAW_EVERY_S)
        finally:
            live.update(drawn(self._view()), refresh=True)
            live.stop()


def drawn(view: dict[str, Any]) -> Group:
    """The status as people see it: who may trade, what is held behind which stop, what was decided last."""
    return Group(
        head(view), money(view), *troubles(view), Text(), table(view), Text(), *decisions(view), *alerts(view)
    )


def head(view: dict[str, Any]) -> Text:
    trading = view["trading"]
    return Text.assemble(
        (trading["state"], f"bold {STATE_COLOURS.get(trading['state'], 'white')}"),
        f" {trading['halt_id']} {trading['reason']}".rstrip(),
        f"  {view['venue']} {view['strategy']}, {'ready' if view['ready'] else 'starting'}",
        (f"  {time_of(view['at'])} UTC", "dim"),
    )


def money(view: dict[str, Any]) -> Text:
    """Rounded for the eye; `ledger` has every digit."""
    equity, counters = view["equity"], view["counters"]
    held = [row["position"]["unrealized"] or 0.0 for row in view["symbols"] if row["position"]]
    return Text(
        f"equity {'?' if equity is None else format(equity, '.2f')} {view['quote_asset']}"
        f"  realised {signed(float(view['realized']))}  open {signed(sum(held))}"
        f"  fees {float(view['fees']):.2f}  fills {counters['fills']}  trips {counters['round_trips']}"
    )


def signed(amount: float) -> str:
    """To the cent; what rounds to nothing has no minus."""
    return f"{round(amount, 2) + 0.0:+.2f}"


def troubles(view: dict[str, Any]) -> Iterator[Text]:
    """Lines that are there only while something is wrong."""
    for name, told in view["streams"].items():
        if not told["up"]:
            yield Text(f"stream {name} is DOWN since {time_of(told['since'])}: {told['why']}", style="red")
    for row in view["symbols"]:
        if row["bracket"] and not row["bracket"]["stop_listed"]:
            yield Text(f"{row['symbol']}: the exchange lists no stop of ours", style="bold red")
    if view["orders_unknown"]:
        yield Text(f"{view['orders_unknown']} orders of unknown fate: being asked for", style="red")
    if view["drift_open"]:
        yield Text(f"{view['drift_open']} differences to the exchange's books: being repaired", style="red")


def table(view: dict[str, Any]) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name, width in COLUMNS.items():
        text = name in ("symbol", "phase")
        made.add_column(name, no_wrap=True, min_width=width, justify="left" if text else "right")
    for row in view["symbols"]:
        made.add_row(*cells(row))
    return made


def cells(row: dict[str, Any]) -> tuple[Text, ...]:
    held, bracket = row["position"], row["bracket"]
    price = Text(f"{(row['bid'] + row['ask']) / 2:.8g}" if row["bid"] else "-")
    if held is None:
        return Text(row["symbol"], style="bold"), price, Text("flat", style="dim")
    pnl = held["unrealized"]
    stop = bracket["stop"] if bracket else "none"
    return (
        Text(row["symbol"], style="bold"),
        price,
        Text(held["qty"] if held["qty"].startswith("-") else f"+{held['qty']}"),
        Text(f"{float(held['entry']):.8g}"),
        Text("?") if pnl is None else Text(signed(pnl), style="red" if pnl < 0 else "green"),
        Text(stop, style="green" if bracket and bracket["stop_listed"] else "bold red"),
        Text((bracket and bracket["take_profit"]) or "-"),
        Text(
            bracket["phase"] if bracket else "-",
            style="bold red" if bracket and bracket["naked_since"] else "",
        ),
    )


def decisions(view: dict[str, Any]) -> Iterator[Text]:
    """The last decision of each symbol, and why there is no opinion now where there is none."""
    for row in view["symbols"]:
        silence = row["silence"]
        why = f"  (no signal: {silence['reason']})" if silence and row["position"] is None else ""
        yield Text.assemble(
            (f"{time_of(row['decided_at']) or '--:--:--'} ", "dim"),
            (row["symbol"], "bold"),
            f" {row['last_decision']}",
            (why, "dim"),
        )


def alerts(view: dict[str, Any]) -> Iterator[Text]:
    for alert in view["alerts"][-ALERTS_SHOWN:]:
        yield Text(f"{time_of(alert['at'])} {alert['message']}", style="yellow")


def time_of(moment: str) -> str:
    """The time of day in a UTC text."""
    return moment[11:19]
