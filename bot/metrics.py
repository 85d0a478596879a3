"""What Prometheus is told. One registry a bot, made in `bot/process.py`, so that a test can make several.

Events are counted as they happen, in the process where they do; figures of the database are read when somebody asks,
and are the same from every process. No label holds a number or a person.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.scheduler import TickAge
from services.database import DatabaseUnavailable
from services.figures import Figures

log = structlog.get_logger()

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Two Prometheus servers, or an impatient person, cost no more than one.
KEPT_SECONDS = 5.0
_BATCH = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
_ACKNOWLEDGEMENT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)
_TICK = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30)
_IMPORT = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """`read` gives the database's figures, `ages` the ticks'; a process without one of them leaves it out."""

    def __init__(
        self,
        read: Callable[[], Figures] | None = None,
        ages: Callable[[], Iterable[TickAge]] = tuple,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        Gauge("sms_build_info", "1, with the version that runs.", ["version"], registry=registry).labels(
            version("slack-bulk-sms")
        ).set(1)
        if read is not None:
            registry.register(_OfDatabase(read, monotonic))
        registry.register(_OfTicks(ages))
        self._messages = Counter(
            "sms_messages_submitted",
            "Messages handed to a carrier, by what came of it: accepted, refused, unknown or not_taken (goes again).",
            ["application", "carrier", "outcome"],
            registry=registry,
        )
        self._batches = Histogram(
            "sms_batch_seconds",
            "From a batch's request to its answer: answered, refused, not_taken, unanswered or broken.",
            ["application", "carrier", "result"],
            buckets=_BATCH,
            registry=registry,
        )
        self._slack_calls = Counter(
            "sms_slack_calls", "Calls of Slack's API that ended.", ["method", "result"], registry=registry
        )
        self._slack_429s = Counter("sms_slack_rate_limited", "Times Slack said 429.", ["method"], registry=registry)
        self._slack_connected = Gauge(
            "sms_slack_connected", "1 while Slack can reach us, 0 otherwise.", ["mode"], registry=registry
        )
        self._acknowledged = Histogram(
            "sms_acknowledgement_seconds",
            "From a request's arrival to its acknowledgement; Slack waits 3 s.",
            ["kind"],
            buckets=_ACKNOWLEDGEMENT,
            registry=registry,
        )
        self._requests = Counter(
            "sms_requests",
            "Requests of people: answered, refused or unexpected.",
            ["kind", "result"],
            registry=registry,
        )
        self._imports = Histogram(
            "sms_import_seconds", "Imports by how they ended.", ["state"], buckets=_IMPORT, registry=registry
        )
        self._import_rows = Counter("sms_import_rows", "Rows of imports that have ended.", registry=registry)
        self._ticks = Histogram("sms_tick_seconds", "Runs of a tick.", ["tick"], buckets=_TICK, registry=registry)
        self._tick_failures = Counter("sms_tick_failures", "Runs that failed.", ["tick"], registry=registry)
        self._http = Counter(
            "sms_http_requests", "HTTP requests by route and answer.", ["route", "status"], registry=registry
        )

    def text(self) -> bytes:
        """In Prometheus' own format. Reads the database, so not on the event loop."""
        return generate_latest(self._registry)

    def names(self) -> set[str]:
        """Every name that a query can ask for."""
        return {name for family in self._registry.collect() for name in _names(family)}

    def batch_answered(
        self, application: str, carrier: str, result: str, seconds: float, outcomes: Mapping[str, int]
    ) -> None:
        """`outcomes` gives the messages of each outcome."""
        self._batches.labels(application, carrier, result).observe(seconds)
        for outcome, count in outcomes.items():
            self._messages.labels(application, carrier, outcome).inc(count)

    def slack_called(self, method: str, result: str) -> None:
        """A call has ended."""
        self._slack_calls.labels(method, result).inc()

    def slack_rate_limited(self, method: str) -> None:
        """Slack asked to wait."""
        self._slack_429s.labels(method).inc()

    def slack_connection(self, mode: str, *, connected: bool) -> None:
        """Whether Slack can reach us. A process that is not to be reached never tells."""
        self._slack_connected.labels(mode).set(int(connected))

    def acknowledged(self, kind: str, seconds: float) -> None:
        """A request of Slack's."""
        self._acknowledged.labels(kind).observe(seconds)

    def request_ended(self, kind: str, result: str) -> None:
        """A person has an answer."""
        self._requests.labels(kind, result).inc()

    def import_ended(self, state: str, seconds: float, rows: int) -> None:
        """As far as this process worked on it."""
        self._imports.labels(state).observe(seconds)
        self._import_rows.inc(rows)

    def tick_ran(self, name: str, seconds: float, well: bool) -> None:
        """A run has ended."""
        self._ticks.labels(name).observe(seconds)
        failures = self._tick_failures.labels(name)
        if not well:
            failures.inc()

    def http_answered(self, route: str, status: int) -> None:
        """An HTTP request of anybody's."""
        self._http.labels(route, str(status)).inc()


class _OfTicks(Collector):
    def __init__(self, ages: Callable[[], Iterable[TickAge]]) -> None:
        self._ages = ages

    def describe(self) -> Iterator[Metric]:
        return self._families(())

    def collect(self) -> Iterator[Metric]:
        return self._families(self._ages())

    def _families(self, ages: Iterable[TickAge]) -> Iterator[Metric]:
        age = GaugeMetricFamily("sms_tick_age_seconds", "Since a tick last ended well.", labels=["tick"])
        every = GaugeMetricFamily("sms_tick_interval_seconds", "How often a tick is to run.", labels=["tick"])
        for each in ages:
            age.add_metric([each.name], each.age_seconds)
            every.add_metric([each.name], each.every_seconds)
        yield from (age, every)


class _OfDatabase(Collector):
    """Keeps what it read for a moment. Without the database it says only that it is away."""

    def __init__(self, read: Callable[[], Figures], monotonic: Callable[[], float]) -> None:
        self._read = read
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: Figures | None = None
        self._known_until = float("-inf")

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        yield GaugeMetricFamily("sms_database_up", "1 while the database answers.", value=int(figures is not None))
        yield from _families(figures)

    def describe(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("sms_database_up", "1 while the database answers.")
        yield from _families(None)

    def _figures(self) -> Figures | None:
        with self._lock:
            if self._monotonic() >= self._known_until:
                try:
                    self._known = self._read()
                except DatabaseUnavailable as error:
                    log.warning("figures.unavailable", error=str(error))
                    self._known = None
                self._known_until = self._monotonic() + KEPT_SECONDS
            return self._known


def _families(figures: Figures | None) -> Iterator[Metric]:
    messages = GaugeMetricFamily(
        "sms_messages",
        "Messages of open tasks, and of those made in the last 7 days, by state.",
        labels=["carrier", "state"],
    )
    tasks = GaugeMetricFamily("sms_tasks", "Send tasks that are not over, by state.", labels=["state"])
    batches = GaugeMetricFamily(
        "sms_batches",
        "Batches of tasks being sent: due, put_off or sending (at most 100,000 counted).",
        labels=["state"],
    )
    due = GaugeMetricFamily(
        "sms_batches_due", "Batches that are due, by application (at most 100,000 counted).", labels=["application"]
    )
    if figures is not None:
        for name, count in figures.due_of.items():
            due.add_metric([name], count)
        for (carrier, state), count in figures.messages.items():
            messages.add_metric([carrier, state], count)
        for state, count in figures.tasks.items():
            tasks.add_metric([state], count)
        batches.add_metric(["due"], figures.batches_due.count)
        batches.add_metric(["put_off"], figures.batches_put_off)
        batches.add_metric(["sending"], figures.batches_sending)
    yield from (messages, tasks, batches, due)
    for name, text, value in _GAUGES:
        gauge = GaugeMetricFamily(name, text)
        if figures is not None:
            gauge.add_metric([], value(figures))
        yield gauge


_GAUGES: tuple[tuple[str, str, Callable[[Figures], float]], ...] = (
    (
        "sms_queue_oldest_seconds",
        "Since the oldest task with a batch that is due began.",
        lambda figures: figures.batches_due.oldest_seconds,
    ),
    ("sms_scheduled_overdue", "Scheduled tasks not started in time.", lambda figures: figures.scheduled.count),
    (
        "sms_scheduled_overdue_seconds",
        "How late the latest of them is.",
        lambda figures: figures.scheduled.oldest_seconds,
    ),
    ("sms_receipts_waiting", "Receipts stored and not applied.", lambda figures: figures.receipts.count),
    (
        "sms_receipts_oldest_seconds",
        "How long the oldest of them has waited.",
        lambda figures: figures.receipts.oldest_seconds,
    ),
    ("sms_imports_running", "Imports under way.", lambda figures: figures.imports.count),
    ("sms_imports_oldest_seconds", "Since the oldest of them began.", lambda figures: figures.imports.oldest_seconds),
    ("sms_posts_owed", "Posts that Slack does not have yet.", lambda figures: figures.posts),
)


def _names(family: Metric) -> Iterator[str]:
    match family.type:
        case "counter":
            yield f"{family.name}_total"
        case "histogram":
            yield from (f"{family.name}_bucket", f"{family.name}_sum", f"{family.name}_count")
        case _:
            yield family.name
