"""How answers look: JSON for machines, tables for people."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

PLAIN_WIDTH = 200  # Where nobody measures the page.
WORDY = (" ", "what", "note", "reason", "message", "why", "last_decision", "overrules")  # May be broken.
WORDS_MIN = 24  # As narrow as such a column may get.
GAP = "  "


def put(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def aside(text: str) -> None:
    """For the person, so that standard output stays the answer alone."""
    sys.stderr.write(f"{text}\n")


def put_json(value: object) -> None:
    import orjson

    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")


def put_table(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    from rich.table import Table
    from rich.text import Text

    if not rows:
        put(f"{title}: none" if title else "none")
        return
    named = any(key.strip() for row in rows for key in row)
    keys = dict.fromkeys(key for row in rows for key in row)
    columns = [key for key in keys if not named or any(cell(row.get(key)) != "-" for row in rows)]
    page = screen()
    if named and needed(rows, columns) > page.width:
        put_records(rows, columns, title, page.width)
        return
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, show_header=named)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column not in WORDY)
    for row in rows:
        table.add_row(*(Text(cell(row.get(column))) for column in columns))
    page.print(table)


def needed(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> int:
    """The width below which a table would cut numbers; words may be broken."""
    widths = [max(len(column), *(len(cell(row.get(column))) for row in rows)) for column in columns]
    held = (
        min(width, WORDS_MIN) if column in WORDY else width
        for column, width in zip(columns, widths, strict=True)
    )
    return sum(held) + len(GAP) * (len(columns) - 1)


def put_records(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str, width: int) -> None:
    """Each row as pairs of name and value, over as many lines as it takes; nothing is cut."""
    if title:
        put(title)
    for row in rows:
        line = cell(row.get(columns[0]))
        for column in columns[1:]:
            value = cell(row.get(column))
            if value == "-":
                continue
            pair = f"{column.replace('_', ' ')} {value}"
            if len(line) + len(GAP) + len(pair) > width:
                put(line)
                line = f"{GAP}{pair}"
            else:
                line += f"{GAP}{pair}"
        put(line)


def put_view(view: Mapping[str, Any], title: str = "") -> None:
    """Any answer of the daemon: plain values first, then each part below its name."""
    plain = [{"": key.replace("_", " "), " ": value} for key, value in view.items() if is_plain(value)]
    if plain:
        put_table(plain, title)
    for key, value in view.items():
        name = f"{title} {key}".strip().replace("_", " ")
        if isinstance(value, Mapping) and value and not is_plain(value):
            put_view(value, name)
        elif isinstance(value, list) and value and not is_plain(value):
            put_rows(value, name)


def put_rows(rows: Sequence[Any], title: str) -> None:
    """A table of what is plain in each row; what is not follows, row by row."""
    tables = [row for row in rows if isinstance(row, Mapping)]
    put_table([{key: value for key, value in row.items() if is_plain(value)} for row in tables], title)
    for row in tables:
        inner = {key: value for key, value in row.items() if value and not is_plain(value)}
        if inner:
            name = next((str(value) for value in row.values() if isinstance(value, str)), "")
            put_view(inner, f"{title} {name}".strip())


def is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return not value
    return not isinstance(value, list) or all(not isinstance(item, Mapping | list) for item in value if value)


def cell(value: object) -> str:
    match value:
        case None | "" | {}:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.9g}"  # A price to its tick.
        case list():
            return ", ".join(map(str, value)) or "-"
        case _:
            return str(value)


def screen() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
