"""What a server counts, in the form that Prometheus reads.

The names are an interface: dashboards and alerts are built on them. No label holds what a client or
a session can make up, so that the number of series has an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

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

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

FROM_A_MILLISECOND = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)
CLOSED = ("too_many", "headers_too_large", "slow_request", "slow_reader")
"""Why a server hangs up on a client of its own accord."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each count, which says when the count began

_Series = tuple[Counter, Histogram, Counter, Counter]


class HTTPMetrics:
    """The counts of one server, under names with one prefix; `text` is what a scrape gets."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.gauge("info", "1; the label says which version runs.", ["version"]).labels(
            __version__
        ).set(1)
        self._add_http()
        self.loop_lag = self.histogram(
            "event_loop_lag_seconds", "How late a timer of the event loop ran, once a second."
        )

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Adds a gauge that is read when it is scraped."""
        self.gauge(name, meaning).set_function(value)

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
        self._requests = self.counter(
            "http_requests", "HTTP requests answered.", ["method", "route", "status"]
        )
        self._request_seconds = self.histogram(
            "http_request_seconds",
            "From the end of a request's headers to the end of its answer.",
            ["method", "route"],
        )
        self._request_bytes = self.counter(
            "http_request_body_bytes", "Bytes of request bodies; files are a route.", ["route"]
        )
        self._response_bytes = self.counter(
            "http_response_body_bytes", "Bytes of answers; files are a route.", ["route"]
        )
        self._connections_closed = self.counters(
            "http_connections_closed",
            "Connections that the server closed on a client's account.",
            "reason",
            CLOSED,
        )
        self._tokens_refused = self.counter(
            "http_tokens_refused", "Requests without the token, or with one that is none."
        )

    def gauge(self, name: str, meaning: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(f"{self._prefix}_{name}", meaning, labels, registry=self.registry)

    def counter(self, name: str, meaning: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(f"{self._prefix}_{name}", meaning, labels, registry=self.registry)

    def counters(
        self, name: str, meaning: str, label: str, values: Iterable[str]
    ) -> dict[str, Counter]:
        """One for each value of the only label, all of them there from the start."""
        counter = self.counter(name, meaning, [label])
        return {value: counter.labels(value) for value in values}

    def histogram(
        self,
        name: str,
        meaning: str,
        labels: Iterable[str] = (),
        buckets: tuple[float, ...] = FROM_A_MILLISECOND,
    ) -> Histogram:
        return Histogram(
            f"{self._prefix}_{name}", meaning, labels, buckets=buckets, registry=self.registry
        )
