"""What the manager counts, in the form that Prometheus reads.

The names are an interface: dashboards and alerts are built on them. No label holds what a client or
a session can make up, so that the number of series has an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from rlm_kernel import __version__
from rlm_kernel.sandbox import Cause, Observer, State

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

_PREFIX = "rlm_kernel"
_FROM_A_MILLISECOND = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)
_FROM_A_QUARTER_SECOND = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_EXECUTED = ("ok", "error", "timeout")
_CREATED = ("new", "fork")
_ENDED = ("deleted", "expired", "shutdown")
_ENDED_STATES = ("rolled_back", "lost")
CLOSED = ("too_many", "headers_too_large", "slow_request", "slow_reader")
"""Why the manager hangs up on a client of its own accord."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each count, which says when the count began

_Series = tuple[Counter, Histogram, Counter, Counter]


class Metrics(Observer):
    """The counts of one manager; `text` is what a scrape gets."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._gauge("info", "1; the label says which version runs.", ["version"]).labels(
            __version__
        ).set(1)
        self._add_http()
        self._add_sessions()
        self._add_zygotes()
        self.loop_lag = self._histogram(
            "event_loop_lag_seconds", "How late a timer of the event loop ran, once a second."
        )

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Adds a gauge that is read when it is scraped."""
        self._gauge(name, meaning).set_function(value)

    def request_answered(
        self, method: str, route: str, status: int, seconds: float, received: int, sent: int
    ) -> None:
        kind = method, route, status
        series = self._series.get(kind) or self._series.setdefault(kind, self._series_of(*kind))
        requests, request_seconds, request_bytes, response_bytes = series
        requests.inc()
        request_seconds.observe(seconds)
        request_bytes.inc(received)
        response_bytes.inc(sent)

    def connection_closed(self, reason: str) -> None:
        """One was closed for a reason of CLOSED."""
        self._connections_closed[reason].inc()

    def token_refused(self) -> None:
        self._tokens_refused.inc()

    def session_created(self, origin: str, seconds: float) -> None:
        """`origin` is "new" or "fork"."""
        self._created[origin].inc()
        self._creation_seconds.observe(seconds)

    def session_ended(self, reason: str) -> None:
        """`reason` is "deleted", "expired" or "shutdown"."""
        self._ended[reason].inc()

    def executed(self, status: str, seconds: float) -> None:
        """A cell was answered, whoever sent it."""
        self._executions[status if status in self._executions else "error"].inc()
        self._execution_seconds.observe(seconds)

    def sent(self, size: int) -> None:
        self._output_bytes.inc(size)

    def process_ended(self, cause: Cause, state: State) -> None:
        self._process_ends.labels(cause, state).inc()

    def zygote_booted(self, seconds: float) -> None:
        self._zygote_boot_seconds.observe(seconds)

    def zygote_died(self) -> None:
        self._zygote_deaths.inc()

    def zygote_succeeded(self) -> None:
        self._zygote_rotations.inc()

    def _series_of(self, method: str, route: str, status: int) -> _Series:
        """Looked up once: that takes longer than all of the counting."""
        return (
            self._requests.labels(method, route, str(status)),
            self._request_seconds.labels(method, route),
            self._request_bytes.labels(route),
            self._response_bytes.labels(route),
        )

    def _add_http(self) -> None:
        self._series: dict[tuple[str, str, int], _Series] = {}
        self._requests = self._counter(
            "http_requests", "HTTP requests answered.", ["method", "route", "status"]
        )
        self._request_seconds = self._histogram(
            "http_request_seconds",
            "From the end of a request's headers to the end of its answer.",
            ["method", "route"],
        )
        self._request_bytes = self._counter(
            "http_request_body_bytes", "Bytes of request bodies; files are a route.", ["route"]
        )
        self._response_bytes = self._counter(
            "http_response_body_bytes", "Bytes of answers; files are a route.", ["route"]
        )
        self._connections_closed = self._counters(
            "http_connections_closed",
            "Connections that the manager closed on a client's account.",
            "reason",
            CLOSED,
        )
        self._tokens_refused = self._counter(
            "http_tokens_refused", "Requests without the token, or with one that is none."
        )

    def _add_sessions(self) -> None:
        self._created = self._counters(
            "sessions_created", "Sessions created; a fork is a live copy.", "origin", _CREATED
        )
        self._creation_seconds = self._histogram(
            "session_creation_seconds", "How long it took to create a session."
        )
        self._ended = self._counters(
            "sessions_ended",
            "Sessions ended: by a request, after SESSION_TTL, with the manager.",
            "reason",
            _ENDED,
        )
        self._executions = self._counters(
            "executions", "Cells answered, whoever sent them.", "status", _EXECUTED
        )
        self._execution_seconds = self._histogram(
            "execution_seconds", "How long cells ran, without their wait in line."
        )
        self._output_bytes = self._counter(
            "session_output_bytes", "Bytes of output, displays and other events of sessions."
        )
        self._process_ends = self._counter(
            "session_process_ends",
            "Processes of sessions that ended under them: killed by the manager, for breaking the "
            "protocol, of themselves; and what became of the variables.",
            ["cause", "state"],
        )
        for cause in get_args(Cause):
            for state in _ENDED_STATES:
                self._process_ends.labels(cause, state)

    def _add_zygotes(self) -> None:
        self._zygote_boot_seconds = self._histogram(
            "zygote_boot_seconds", "How long zygotes took to boot.", (), _FROM_A_QUARTER_SECOND
        )
        self._zygote_deaths = self._counter("zygote_deaths", "Zygotes that were found dead.")
        self._zygote_rotations = self._counter(
            "zygote_rotations", "Zygotes that took over from an old one."
        )

    def _gauge(self, name: str, meaning: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", meaning, labels, registry=self.registry)

    def _counter(self, name: str, meaning: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(f"{_PREFIX}_{name}", meaning, labels, registry=self.registry)

    def _counters(
        self, name: str, meaning: str, label: str, values: Iterable[str]
    ) -> dict[str, Counter]:
        """One for each value of the only label, all of them there from the start."""
        counter = self._counter(name, meaning, [label])
        return {value: counter.labels(value) for value in values}

    def _histogram(
        self,
        name: str,
        meaning: str,
        labels: Iterable[str] = (),
        buckets: tuple[float, ...] = _FROM_A_MILLISECOND,
    ) -> Histogram:
        return Histogram(
            f"{_PREFIX}_{name}", meaning, labels, buckets=buckets, registry=self.registry
        )
