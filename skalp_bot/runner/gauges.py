"""What a scrape reads from the engine's state and from the parts around it."""

from collections.abc import Iterator
from decimal import Decimal
from math import isnan

from aurora.engine import Engine
from aurora.model.control import Stream, TradingState
from aurora.model.drift import DriftKind
from aurora.model.numbers import NEVER, SECOND, as_float
from aurora.model.order import OrderStatus
from skalp_bot.obs.catalogue import OTHER, ROLES, SECONDS
from skalp_bot.obs.counts import Counts, age_s
from skalp_bot.obs.metrics import Reading, Sample, Spread
from skalp_bot.runner.histogram import Histogram

EDGES = tuple(round(edge * SECOND) for edge in SECONDS)


class Gauges:
    """Reads and changes nothing; every value is of the moment it is asked."""

    def __init__(self, *, engine: Engine, counts: Counts) -> None:
        self._state = engine.state
        self._scenarios = engine.mind.stats.scenarios
        self._counts = counts
        self._symbols = engine.config.symbols
        self._asset = engine.config.quote_asset

    def read(self, now: int) -> Iterator[Sample]:
        yield from self._market(now)
        yield from self._orders()
        yield from self._positions()
        yield from self._money()
        yield from self._tail()
        yield from self._protection(now)
        yield from self._truth(now)

    def _market(self, now: int) -> Iterator[Reading]:
        view = self._state.soft.market
        quoted, marked = NEVER, NEVER
        for symbol in self._symbols:
            market = view.of(symbol)
            if market.seen:
                quoted, latency = max(quoted, market.ts_recv), market.latency_ms / 1e3
                yield Reading(
                    name="skalp_quote_age_seconds", labels=(symbol,), value=age_s(now, market.ts_recv)
                )
                yield Reading(name="skalp_quote_latency_seconds", labels=(symbol,), value=latency)
            if market.mark_ts != NEVER:
                marked = max(marked, market.mark_ts)
                yield Reading(
                    name="skalp_mark_age_seconds", labels=(symbol,), value=age_s(now, market.mark_ts)
                )
        newest = {Stream.MARKET: quoted, Stream.MARK: marked, Stream.USER: self._counts.user_at}
        for stream, at in newest.items():
            up = self._state.soft.up.get(stream, False)
            yield Reading(name="skalp_stream_up", labels=(stream,), value=float(up))
            since = at or self._state.soft.started_at or now
            yield Reading(name="skalp_stream_age_seconds", labels=(stream,), value=age_s(now, since))

    def _orders(self) -> Iterator[Reading]:
        blotter = self._state.durable.blotter
        open_now = dict.fromkeys(ROLES, 0)
        unknown = 0
        for order in blotter.open_orders():
            open_now[order.intent.role.name] += 1
            unknown += order.status is OrderStatus.UNKNOWN
        for role, count in open_now.items():
            if role != OTHER:
                yield Reading(name="skalp_orders_open", labels=(role,), value=count)
        yield Reading(name="skalp_orders_unknown", value=unknown)
        yield Reading(name="skalp_conditional_orders", value=blotter.conditional_open())

    def _positions(self) -> Iterator[Reading]:
        """Positions on symbols of others are told together."""
        durable, market = self._state.durable, self._state.soft.market
        held = dict.fromkeys((*self._symbols, OTHER), (0.0, 0.0, 0.0))
        gross = 0.0
        for position in durable.ledger.positions():
            mark = market.of(position.symbol).mark or as_float(position.entry)
            qty = as_float(position.qty)
            gross += abs(qty) * mark
            name = self._counts.symbol(position.symbol)
            before, gain = held[name], durable.ledger.unrealized(position.symbol, mark)
            held[name] = (before[0] + qty, before[1] + qty * mark, before[2] + gain)
        for name, (qty, quote, gain) in held.items():
            if name == OTHER and not qty:
                continue
            yield Reading(name="skalp_position", labels=(name,), value=qty)
            yield Reading(name="skalp_position_quote", labels=(name,), value=quote)
            yield Reading(name="skalp_unrealized_quote", labels=(name,), value=gain)
        yield Reading(name="skalp_exposure_quote", labels=("held",), value=gross)
        yield from self._worst()

    def _worst(self) -> Iterator[Reading]:
        durable, market = self._state.durable, self._state.soft.market
        positions = durable.ledger.positions()
        names = dict.fromkeys((*self._symbols, *(position.symbol for position in positions)))
        marks = {name: Decimal(str(market.of(name).mark)) for name in names if market.of(name).seen}
        worst = durable.blotter.gross_exposure(positions, marks)
        if worst is not None:
            yield Reading(name="skalp_exposure_quote", labels=("worst",), value=as_float(worst))

    def _money(self) -> Iterator[Reading]:
        ledger, equity = self._state.durable.ledger, self._state.soft.equity
        yield Reading(name="skalp_wallet_quote", value=as_float(ledger.wallet(self._asset)))
        yield Reading(name="skalp_realized_quote", value=as_float(ledger.realized))
        yield Reading(name="skalp_fees_quote", value=as_float(ledger.fees))
        yield Reading(name="skalp_funding_quote", value=as_float(ledger.funding))
        if isnan(equity):
            return
        yield Reading(name="skalp_equity_quote", value=equity)
        for since, start in (("day_start", ledger.day_start), ("peak", ledger.peak)):
            if start > 0:
                lost = max(1.0 - equity / as_float(start), 0.0)
                yield Reading(name="skalp_drawdown_ratio", labels=(since,), value=lost)

    def _tail(self) -> Iterator[Reading]:
        durable, market = self._state.durable, self._state.soft.market
        exposures = {
            position.symbol: as_float(position.qty) * market.of(position.symbol).mark
            for position in durable.ledger.positions()
            if position.symbol in self._scenarios.symbols
        }
        tail = self._scenarios.tail(exposures)
        yield Reading(name="skalp_tail_quote", labels=("var",), value=tail.var)
        yield Reading(name="skalp_tail_quote", labels=("cvar",), value=tail.cvar)
        yield Reading(name="skalp_tail_warming_up", value=float(tail.warming_up))

    def _protection(self, now: int) -> Iterator[Reading]:
        gaps = dict.fromkeys(self._symbols, 0.0)
        for bracket in self._state.durable.brackets.values():
            if bracket.naked_since is not None:
                name = self._counts.symbol(bracket.symbol)
                gaps[name] = max(gaps.get(name, 0.0), age_s(now, bracket.naked_since))
        for position in self._state.durable.ledger.positions():
            if position.symbol not in self._state.durable.brackets:
                name = self._counts.symbol(position.symbol)
                gaps[name] = max(gaps.get(name, 0.0), age_s(now, self._state.soft.started_at or now))
        for name, seconds in gaps.items():
            yield Reading(name="skalp_unprotected_seconds", labels=(name,), value=seconds)
        longest = max([self._counts.gap_max / SECOND, *gaps.values()])
        yield Reading(name="skalp_protection_gap_seconds_max", value=longest)

    def _truth(self, now: int) -> Iterator[Reading]:
        durable, soft = self._state.durable, self._state.soft
        agreed = soft.reconciled_at or soft.started_at or now
        yield Reading(name="skalp_reconciliation_age_seconds", value=age_s(now, agreed))
        drifts = dict.fromkeys(DriftKind, 0)
        for record in durable.drifts.values():
            drifts[record.drift.kind] += 1
        for kind, count in drifts.items():
            yield Reading(name="skalp_drift_open", labels=(kind,), value=count)
        for state in TradingState:
            here = durable.trading.state is state
            yield Reading(name="skalp_trading_state", labels=(state,), value=float(here))


def spread(name: str, histogram: Histogram) -> Spread:
    return Spread(
        name=name,
        within=tuple(histogram.within(EDGES)),
        count=histogram.count,
        total_s=histogram.total / SECOND,
    )
