"""The metrics page: counts and readings, in the words of the catalogue, as Prometheus reads them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from skalp_bot.obs.catalogue import CATALOGUE, SECONDS, Kind, Metric
from skalp_bot.obs.counts import Counts, Labels

SEEDED_MAX = 24  # A counter with so few series starts each at 0, so that its first event is an increase.
PROCESS = ProcessCollector(registry=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A value read from the state at the moment of a scrape."""

    name: str
    labels: Labels = ()
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A distribution: how many were within each of ``SECONDS``, how many in all, and their sum."""

    name: str
    within: tuple[int, ...]
    count: int
    total_s: float


Sample = Reading | Spread


@dataclass(frozen=True, slots=True)
class Page:
    """One scrape: gathered on the loop in a moment, written as text wherever there is time."""

    samples: tuple[Sample, ...]
    counted: dict[tuple[str, Labels], float] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()

    def text(self) -> bytes:
        return generate_latest(self)

    def collect(self) -> Iterable[Family]:
        by_name: dict[str, list[Sample]] = {}
        for sample in (*self._counters(), *self.samples):
            by_name.setdefault(sample.name, []).append(sample)
        for name, metric in CATALOGUE.items():
            if name in by_name:
                yield family(metric, by_name[name])
        yield from PROCESS.collect()

    def _counters(self) -> Iterator[Reading]:
        for (name, labels), value in (seeds(self.symbols) | self.counted).items():
            yield Reading(name=name, labels=labels, value=value)


def page(counts: Counts, readings: Iterable[Sample]) -> Page:
    counted = dict(counts.values)
    for symbol, (ticks, conflated) in counts.ticks.items():
        counted["skalp_ticks_total", (symbol,)] = ticks
        counted["skalp_ticks_conflated_total", (symbol,)] = conflated
    return Page(tuple(readings), counted, tuple(counts.ticks))


def seeds(symbols: tuple[str, ...]) -> dict[tuple[str, Labels], float]:
    """Zeros for the counters of the fold that have few series each symbol."""
    found: dict[tuple[str, Labels], float] = {}
    for metric in FOLDED:
        sets = [label.values or symbols for label in metric.labels]
        combined = list(product(*sets))
        if len(combined) <= SEEDED_MAX * max(len(symbols), 1):
            found |= dict.fromkeys(((metric.name, labels) for labels in combined), 0.0)
    return found


def family(metric: Metric, samples: Iterable[Sample]) -> Family:
    names = [label.name for label in metric.labels]
    match metric.kind:
        case Kind.HISTOGRAM:
            spread = HistogramMetricFamily(metric.name, metric.about)
            for sample in samples:
                if isinstance(sample, Spread):
                    edges = [str(edge) for edge in SECONDS]
                    buckets = [*zip(edges, sample.within, strict=True), ("+Inf", sample.count)]
                    spread.add_metric([], buckets, sum_value=sample.total_s)
            return spread
        case Kind.COUNTER:
            return filled(CounterMetricFamily(metric.name, metric.about, labels=names), samples)
        case Kind.GAUGE:
            return filled(GaugeMetricFamily(metric.name, metric.about, labels=names), samples)


def filled(
    made: CounterMetricFamily | GaugeMetricFamily, samples: Iterable[Sample]
) -> CounterMetricFamily | GaugeMetricFamily:
    for sample in samples:
        if isinstance(sample, Reading):
            made.add_metric(list(sample.labels), sample.value)
    return made


# Counters that the fold alone keeps; the others are read from whoever counts them already.
READ = (
    "skalp_prints_dropped_total",
    "skalp_commands_sent_total",
    "skalp_sent_ahead_total",
    "skalp_steps_total",
    "skalp_journal_rows_total",
    "skalp_journal_commits_total",
    "skalp_log_lines_dropped_total",
)
FOLDED = [metric for metric in CATALOGUE.values() if metric.kind is Kind.COUNTER and metric.name not in READ]
