"""One client's connection: the stream under it, and the request that is on it now."""

from __future__ import annotations

import contextlib
import socket
import time
from asyncio import Future
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tornado.iostream import IOStream, UnsatisfiableReadError

from rlm_kernel.errors import BadRequest, RLMKernelError
from rlm_kernel.http.faults import body_of, retry_after_of, status_of
from rlm_kernel.http.lingering import Lingering
from rlm_kernel.http.tracing import NO_REQUEST_SPAN, RequestSpan

_ExcInfo = (
    bool
    | BaseException
    | tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
    | None
)


_BARE_REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"
"""All that tornado says where it cannot make sense of a request, before it hangs up."""


class ClientStream(IOStream):
    """Counts the bytes that go over it, and says why where tornado would only hang up.

    One that `lingers` is not closed before its last words have had the time to arrive.
    """

    received = 0
    sent = 0
    lingers = False
    on_closed: Callable[[], None] = staticmethod(lambda: None)
    on_endless_line: Callable[[], None] = staticmethod(lambda: None)
    lingering: Lingering | None = None

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        count = super().read_from_fd(buf)
        self.received += count or 0
        return count

    def write_to_fd(self, data: memoryview) -> int:
        count = super().write_to_fd(data)
        self.sent += count
        return count

    def write(self, data: bytes | memoryview) -> Future[None]:
        if data == _BARE_REFUSAL:
            self.lingers = True
            data = raw_answer(BadRequest("this is not HTTP/1.1 as RFC 9112 has it"))
        return super().write(data)

    def close(self, exc_info: _ExcInfo = False) -> None:
        if isinstance(exc_info, UnsatisfiableReadError) and not self.closed():
            self.on_endless_line()
        super().close(exc_info)

    def close_fd(self) -> None:
        if self.lingers:
            self.lingering = Lingering(self.socket, self.on_closed)
        else:
            super().close_fd()
            self.on_closed()


class Connection:
    """What tornado calls the context of a request, and what is known of the client's pace."""

    protocol = "http"

    def __init__(self, stream: ClientStream, address: Any) -> None:
        self.stream = stream
        self.remote_ip = str(address[0]) if isinstance(address, tuple) else "0.0.0.0"
        self.request_id = ""
        self.span = NO_REQUEST_SPAN
        self.request_bytes = self.response_bytes = 0
        self._sent_before = 0
        self.await_request()

    def __str__(self) -> str:
        return self.remote_ip

    def await_request(self) -> None:
        """The last request is done with, the next has not come."""
        self.phase = "waiting"
        self.begin_window(time.monotonic())
        self._sent_before = self.stream.sent

    def take_request(self, request_id: str, span: RequestSpan) -> None:
        """The headers of a request have come."""
        self.phase = "receiving"
        self.request_id, self.span = request_id, span
        self.request_bytes = self.response_bytes = 0
        self.begin_window(time.monotonic())

    def begin_window(self, now: float) -> None:
        """From now on it is counted how much comes and goes."""
        self.window_began = now
        self._received_then, self._sent_then = self.stream.received, self.stream.sent

    @property
    def received_in_window(self) -> int:
        return self.stream.received - self._received_then

    @property
    def sent_in_window(self) -> int:
        return self.stream.sent - self._sent_then

    def refuse(self, error: RLMKernelError) -> None:
        """Hang up, with `error` as the last word unless an answer has begun."""
        if self.stream.closed():
            return
        if self.stream.sent == self._sent_before and not self.stream.writing():
            self.say(error)
        self.stream.close()

    def say(self, error: RLMKernelError) -> None:
        """Send an answer past tornado, as far as it fits into the socket; it always should."""
        self.stream.lingers = True
        with contextlib.suppress(OSError):
            self.stream.socket.send(raw_answer(error), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def raw_answer(error: RLMKernelError) -> bytes:
    """The whole of an HTTP answer, after which the connection is closed."""
    status, body = status_of(error), body_of(error).model_dump_json().encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if retry_after := retry_after_of(error):
        lines.append(f"Retry-After: {retry_after}")
    return "\r\n".join([*lines, "", ""]).encode() + body
