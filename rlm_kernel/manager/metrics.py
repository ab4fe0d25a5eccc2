"""What the manager counts, in the form that Prometheus reads.

The names are an interface: dashboards and alerts are built on them. No label holds what a client or
a session can make up, so that the number of series has an end.
"""

from __future__ import annotations

from typing import get_args

from rlm_kernel.http.metrics import HTTPMetrics
from rlm_kernel.sandbox import Cause, Observer, State

_FROM_A_QUARTER_SECOND = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_EXECUTED = ("ok", "error", "timeout")
_CREATED = ("new", "fork")
_ENDED = ("deleted", "expired", "shutdown")
_ENDED_STATES = ("rolled_back", "lost")


class Metrics(HTTPMetrics, Observer):
    """The counts of one manager; `text` is what a scrape gets."""

    def __init__(self) -> None:
        super().__init__("rlm_kernel")
        self._add_sessions()
        self._add_zygotes()

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

    def _add_sessions(self) -> None:
        self._created = self.counters(
            "sessions_created", "Sessions created; a fork is a live copy.", "origin", _CREATED
        )
        self._creation_seconds = self.histogram(
            "session_creation_seconds", "How long it took to create a session."
        )
        self._ended = self.counters(
            "sessions_ended",
            "Sessions ended: by a request, after SESSION_TTL, with the manager.",
            "reason",
            _ENDED,
        )
        self._executions = self.counters(
            "executions", "Cells answered, whoever sent them.", "status", _EXECUTED
        )
        self._execution_seconds = self.histogram(
            "execution_seconds", "How long cells ran, without their wait in line."
        )
        self._output_bytes = self.counter(
            "session_output_bytes", "Bytes of output, displays and other events of sessions."
        )
        self._process_ends = self.counter(
            "session_process_ends",
            "Processes of sessions that ended under them: killed by the manager, for breaking the "
            "protocol, of themselves; and what became of the variables.",
            ["cause", "state"],
        )
        for cause in get_args(Cause):
            for state in _ENDED_STATES:
                self._process_ends.labels(cause, state)

    def _add_zygotes(self) -> None:
        self._zygote_boot_seconds = self.histogram(
            "zygote_boot_seconds", "How long zygotes took to boot.", (), _FROM_A_QUARTER_SECOND
        )
        self._zygote_deaths = self.counter("zygote_deaths", "Zygotes that were found dead.")
        self._zygote_rotations = self.counter(
            "zygote_rotations", "Zygotes that took over from an old one."
        )
