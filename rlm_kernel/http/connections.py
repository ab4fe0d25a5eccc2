"""All clients' connections: how many there may be, and which have been slow for too long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from rlm_kernel.errors import (
    BadRequest,
    HeadersTooLarge,
    ManagerError,
    RequestTooSlow,
    TooManyConnections,
)
from rlm_kernel.http.connection import Connection
from rlm_kernel.http.tracing import RequestSpan

HEADER_SECONDS = 10.0
"""In which headers that have begun must end."""

BODY_SECONDS, BODY_BYTES = 30.0, 30 * 500
"""A body must bring as many bytes in as many seconds, while the manager waits for it."""

ANSWER_SECONDS, ANSWER_BYTES = 60.0, 60 * 500
"""A client must take as many bytes of what it is sent in as many seconds."""

SWEEP_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Connections:
    """Keeps the connections within their limits; `sweep` is to be called about once a second.

    Where there are as many as there may be, the one that has waited longest for its next request
    makes room. Only where all of them have a request is a new one refused.
    """

    def __init__(self, limit: int, closed: Callable[[str], None]) -> None:
        self._limit = limit
        self._count_closed = closed
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}  # longest first

    @property
    def idle(self) -> int:
        """How many have no request."""
        return len(self._waiting)

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection) -> bool:
        """Whether there is room for one more; if not, it is told so and closed."""
        if len(self._open) >= self._limit:
            self._make_room()
        if len(self._open) >= self._limit:
            error = TooManyConnections(f"all of {self._limit} connections have a request", 1)
            self._close(connection, "too_many", error)
            return False
        self._open.add(connection)
        connection.stream.on_closed = lambda: self._forget(connection)
        connection.stream.on_endless_line = lambda: self._refuse_line(connection)
        return True

    def await_request(self, connection: Connection) -> None:
        connection.await_request()
        if connection in self._open:
            self._waiting[connection] = None

    def take_request(self, connection: Connection, request_id: str, span: RequestSpan) -> None:
        connection.take_request(request_id, span)
        self._waiting.pop(connection, None)

    def refuse_headers(self, connection: Connection) -> None:
        """Hang up on one that sends more headers, or larger ones, than there may be."""
        error = HeadersTooLarge("the headers of a request are too large, or too many")
        self._close(connection, "headers_too_large", error)

    def close(self) -> None:
        """Let go of those that are only there for their last words to arrive."""
        for connection in list(self._open):
            if connection.stream.lingering is not None:
                connection.stream.lingering.close()

    def sweep(self) -> None:
        """Hang up on those who are too slow."""
        now = time.monotonic()
        for connection in list(self._open):
            if not connection.stream.closed():
                self._check(connection, now)

    def _check(self, connection: Connection, now: float) -> None:
        seconds = now - connection.window_began
        if connection.stream.writing():
            if seconds >= ANSWER_SECONDS:
                if connection.sent_in_window < ANSWER_BYTES:
                    self._close(connection, "slow_reader", RequestTooSlow("it reads too slowly"))
                connection.begin_window(now)
        elif connection.phase == "waiting":
            if not connection.received_in_window:
                connection.window_began = now
            elif seconds >= HEADER_SECONDS:
                reason = f"the headers took longer than {HEADER_SECONDS:g} s"
                self._close(connection, "slow_request", RequestTooSlow(reason))
        elif connection.phase == "receiving" and connection.stream.reading():
            if seconds >= BODY_SECONDS:
                if connection.received_in_window < BODY_BYTES:
                    reason = f"the body brought too little within {BODY_SECONDS:g} s"
                    self._close(connection, "slow_request", RequestTooSlow(reason))
                connection.begin_window(now)
        else:
            connection.begin_window(now)

    def _refuse_line(self, connection: Connection) -> None:
        """The end of something is not where it must be at the latest: headers, a chunk's size."""
        if connection.phase == "waiting":
            self._note(connection, "headers_too_large")
            connection.say(HeadersTooLarge("the headers of a request are too large"))
        else:
            connection.say(BadRequest("this is not the size of a chunk"))

    def _make_room(self) -> None:
        if self._waiting:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            self._note(oldest, "too_many")
            oldest.stream.close()

    def _close(self, connection: Connection, reason: str, error: ManagerError) -> None:
        self._note(connection, reason)
        connection.refuse(error)

    def _note(self, connection: Connection, reason: str) -> None:
        self._count_closed(reason)
        _log.info("closed a connection", extra={"peer": str(connection), "reason": reason})

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._waiting.pop(connection, None)
