"""Minutes of one symbol that follow each other, packed as whole numbers: summed at once, unpacked on demand.

A row costs 88 bytes; as a Candle it costs a thousand. Prices count the last decimal place of a price,
quantities that of a quantity, and values both.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import overload

import numpy as np
from numpy.typing import NDArray

from skalp_bot.paper.market import Candle

MINUTE_MS = 60_000
ROWS_FIRST = 16
VALUE_MAX = 2**63 - 1  # of a minute: at eight places in all, ninety thousand million
Table = NDArray[np.int64]
OPEN, HIGH, LOW, CLOSE, VOLUME, VALUE, TRADES, TAKER, TAKER_VALUE, FIRST_ID, LAST_ID = range(11)


class Minutes(Sequence[Candle]):
    """At most `keep` minutes; one more forgets the oldest. `places` are decimals of prices and quantities."""

    def __init__(
        self,
        symbol: str,
        places: tuple[int, int],
        *,
        open_ms: int = 0,
        table: Table | None = None,
        keep: int | None = None,
    ) -> None:
        self.symbol, self.places, self._open_ms, self._keep = symbol, places, open_ms, keep
        self._table: Table = np.empty((LAST_ID + 1, 0), dtype=np.int64) if table is None else table
        self._size: int = self._table.shape[1]

    @classmethod
    def of(cls, symbol: str, places: tuple[int, int], rows: Iterable[Candle]) -> "Minutes":
        made = cls(symbol, places)
        for row in rows:
            made.append(row)
        return made

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, at: int) -> Candle: ...
    @overload
    def __getitem__(self, at: slice) -> list[Candle]: ...
    def __getitem__(self, at: int | slice) -> Candle | list[Candle]:
        if not isinstance(at, slice):
            first = range(self._size)[at]
            return self[first : first + 1][0]
        start, stop, _ = at.indices(self._size)
        columns = self._table[:, start:stop].tolist()
        first_ms = self._open_ms + start * MINUTE_MS
        return [
            self._candle(first_ms + index * MINUTE_MS, MINUTE_MS, row)
            for index, row in enumerate(zip(*columns, strict=True))
        ]

    def __iter__(self) -> Iterator[Candle]:
        return iter(self[:])

    def at(self, t_ms: int) -> int:
        """Give the index of the minute that holds t_ms, within 0 and the length."""
        return min(max(0, (t_ms - self._open_ms) // MINUTE_MS), self._size)

    def until(self, open_ms: int) -> "Minutes":
        """The minutes before open_ms."""
        return Minutes(
            self.symbol, self.places, open_ms=self._open_ms, table=self._table[:, : self.at(open_ms)]
        )

    def append(self, row: Candle) -> None:
        if not self._size:
            self._open_ms = row.open_ms
        if self._size == self._keep:
            self._table[:, : self._size - 1] = self._table[:, 1 : self._size]
            self._open_ms += MINUTE_MS
            self._size -= 1
        elif self._size == self._table.shape[1]:
            more = max(ROWS_FIRST, self._size)
            more = more if self._keep is None else min(more, self._keep - self._size)
            self._table = np.hstack((self._table[:, : self._size], np.zeros((LAST_ID + 1, more), np.int64)))
        price, qty = self.places
        prices = (row.open, row.high, row.low, row.close)
        self._table[:, self._size] = (
            *(whole(value, price) for value in prices),
            whole(row.volume, qty),
            whole(row.quote_volume, price + qty),
            row.trades,
            whole(row.taker_volume, qty),
            whole(row.taker_quote_volume, price + qty),
            row.first_id,
            row.last_id,
        )
        self._size += 1

    def folded(self, count: int) -> Candle | None:
        """The last `count` minutes as one; None where there are none."""
        start = max(0, self._size - count)
        if start == self._size:
            return None
        table = self._table[:, start : self._size]
        named = np.flatnonzero(table[FIRST_ID] >= 0)
        row = [
            table[OPEN, 0].item(),
            table[HIGH].max().item(),
            table[LOW].min().item(),
            table[CLOSE, -1].item(),
            *totals(table[VOLUME : TAKER_VALUE + 1]),
            table[FIRST_ID, named[0]].item() if named.size else -1,
            table[LAST_ID, named[-1]].item() if named.size else -1,
        ]
        return self._candle(self._open_ms + start * MINUTE_MS, (self._size - start) * MINUTE_MS, row)

    def _candle(self, open_ms: int, span_ms: int, row: Sequence[int]) -> Candle:
        price, qty = self.places
        return Candle(
            symbol=self.symbol,
            interval="1m",
            open_ms=open_ms,
            close_ms=open_ms + span_ms - 1,
            open=number(row[OPEN], price),
            high=number(row[HIGH], price),
            low=number(row[LOW], price),
            close=number(row[CLOSE], price),
            volume=number(row[VOLUME], qty),
            quote_volume=number(row[VALUE], price + qty),
            trades=row[TRADES],
            taker_volume=number(row[TAKER], qty),
            taker_quote_volume=number(row[TAKER_VALUE], price + qty),
            first_id=row[FIRST_ID],
            last_id=row[LAST_ID],
        )


def number(value: int, places: int) -> Decimal:
    return Decimal(value).scaleb(-places)


def whole(value: Decimal, places: int) -> int:
    """Count the last place; what is finer is cut, and so is what no column can hold."""
    return min(int(value.scaleb(places)), VALUE_MAX)


def totals(table: Table) -> list[int]:
    """Add up each column exactly: a day of great values is more than sixty-four bits hold."""
    high, low = (table >> 32).sum(axis=1).tolist(), (table & 0xFFFFFFFF).sum(axis=1).tolist()
    return [(upper << 32) + lower for upper, lower in zip(high, low, strict=True)]
