"""A listing's rows turned into views a few at a time: an exit waits for a few rows, not for all of them."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Generic, TypeVar

from skalp_bot.exch.fields import DecodeError, Row, mapping, parsed, rows
from skalp_bot.ports import Clock

PIECE = 8  # Rows between two turns of the loop: some half a millisecond when all are new.

View = TypeVar("View")
Said = TypeVar("Said")


class Listing(Generic[View]):
    """Reads one of the venue's lists; ``read`` makes a view of a row, or None of one that shows nothing.

    A row whose text is among the newest ``kept`` is not read again: it is the same view.
    """

    def __init__(self, name: str, read: Callable[[Row], View | None], *, clock: Clock, kept: int = 0) -> None:
        self._name = name
        self._read = read
        self._clock = clock
        self._known = lru_cache(kept)(self._read_text)

    async def views(self, body: str) -> tuple[View, ...]:
        """Of every row, or DecodeError."""
        try:
            return await self._each(row_texts(body), self._known)
        except DecodeError:  # Written with spaces, rows within rows, or nothing that can be read.
            return await self._each(rows(parsed(body), self._name), self._read)

    async def _each(self, said: Iterable[Said], read: Callable[[Said], View | None]) -> tuple[View, ...]:
        views = []
        for number, row in enumerate(said, 1):
            view = read(row)
            if view is not None:
                views.append(view)
            if number % PIECE == 0:
                await self._clock.sleep(0)
        return tuple(views)

    def _read_text(self, text: str) -> View | None:
        return self._read(mapping(parsed(text), self._name))


def row_texts(body: str) -> list[str]:
    """The rows of a list of flat objects without spaces, unread.

    Nothing is assumed: texts of which each is an object by itself make a list of just these objects, and a
    text cut in the wrong place is no object.
    """
    if body == "[]":
        return []
    if not (body.startswith("[{") and body.endswith("}]")):
        raise DecodeError(f"not a list of objects: {body[:80]!r}")
    return [f"{{{inner}}}" for inner in body[2:-2].split("},{")]
