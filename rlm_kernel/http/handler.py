"""What every handler does alike: the door, the body's limit, and errors as JSON."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, ClassVar

from pydantic import BaseModel
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from rlm_kernel import errors
from rlm_kernel.http.door import Door
from rlm_kernel.http.event_stream import EventStream
from rlm_kernel.http.events import MEDIA_TYPE
from rlm_kernel.http.faults import body_of, retry_after_of, status_of
from rlm_kernel.http.messages import as_json
from rlm_kernel.http.metrics import HTTPMetrics
from rlm_kernel.http.operation import Operation
from rlm_kernel.http.traffic import Traffic
from rlm_kernel.http.tries import FailedTries
from rlm_kernel.http.visitor import Visitor

_log = logging.getLogger(__name__)

_MOST_WASTED_BYTES = 1 << 30
FAILED = "the server failed at this; its log has the details"
"""All that a client is told of an error that nobody foresaw."""

SHOWN_PATH = 256
"""Characters of a path that a client made up which it is told, and which are logged."""

WRITE_SECONDS = 60.0
"""How long a client may take nothing of an answer that is sent in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What every handler works with: who may come in, and what is counted of them."""

    door: Door
    traffic: Traffic
    metrics: HTTPMetrics
    max_body_bytes: int
    failed_tries: FailedTries = field(default_factory=FailedTries)

    failure: ClassVar[type[errors.RLMKernelError]] = errors.ManagerError
    """The class of errors that nobody foresaw; what they were is for the log alone."""

    def admit(self, request: HTTPServerRequest, *, token_needed: bool = True) -> Visitor:
        """Whom a request is from. Raises what keeps it out, of which the tokens are counted."""
        try:
            return admitted(self.door, request, token_needed=token_needed)
        except errors.Unauthorized:
            self.metrics.token_refused()
            self.failed_tries.note(str(request.remote_ip))
            raise


@stream_request_body
class Handler(RequestHandler):
    """Base of all handlers. The body arrives in pieces, so that its size is checked on the way."""

    token_needed = True
    owners: ClassVar[Set[str]] = frozenset()
    """The methods that are for owners alone."""

    operations: ClassVar[Mapping[str, Operation]] = {}
    """What each method takes and answers."""

    methods: ClassVar[tuple[str, ...]] = ()
    """Those that a class of handlers defines itself."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.methods = tuple(
            method
            for method in cls.SUPPORTED_METHODS
            if getattr(cls, method.lower()) is not getattr(RequestHandler, method.lower())
        )

    def initialize(self, services: Reception) -> None:
        self.services = services
        services.traffic.arrived(self)
        self.body = bytearray()
        self.received = 0
        self.client_gone = False
        self._begun = False
        self._refusal: errors.RLMKernelError | None = None

    @property
    def max_body_bytes(self) -> int:
        return self.services.max_body_bytes

    def prepare(self) -> None:
        self._begun = True
        try:
            self.check()
        except errors.RLMKernelError as error:
            self._refuse(error)

    def check(self) -> None:
        """Called before the body comes; raises what makes it useless to wait for the body."""
        self.admit()
        if not self._takes_method():
            raise errors.MethodNotAllowed(f"{self.request.method} is not for {self.request.path}")
        if self.request.method in self.owners:
            self.visitor.must_own(f"{self.request.method} {self.request.path}")
        announced = self.request.headers.get("Content-Length", "")
        if announced.isdecimal():
            self._check_size(int(announced))

    def admit(self) -> None:
        """Raise what keeps the request out; set `visitor` to whom it is from."""
        self.visitor = self.services.admit(self.request, token_needed=self.token_needed)

    async def data_received(self, chunk: bytes) -> None:
        self.received += len(chunk)
        try:
            if self._refusal is None:
                self._check_size(self.received)
                await self.take(chunk)
        except errors.RLMKernelError as error:
            self._refuse(error)
        if self._refusal is not None and self.received > _MOST_WASTED_BYTES:
            self._answer_early(self._refusal)

    def _refuse(self, error: errors.RLMKernelError) -> None:
        """Answer `error`, but after the body.

        Hanging up on a client that still sends makes its system throw the answer away (TCP resets
        the connection). One that asks before it sends is told at once.
        """
        self._refusal = error
        if self.request.headers.get("Expect", "").lower() == "100-continue" and not self.received:
            self._answer_early(error)
        else:
            setattr(self, str(self.request.method).lower(), self._raise_refusal)

    def _raise_refusal(self, *_path: str) -> None:
        assert self._refusal is not None
        raise self._refusal

    async def take(self, chunk: bytes) -> None:
        """Called with each piece of the body, in order, before the method's own function."""
        self.body += chunk

    def on_finish(self) -> None:
        self.services.traffic.gone(self)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.client_gone = True
        self.services.traffic.gone(self)

    def hang_up(self) -> None:
        """Close the connection, whatever of the answer has been sent."""
        assert isinstance(self.request.connection, HTTP1Connection)
        self.request.connection.stream.close()

    async def send(self, data: bytes = b"") -> None:
        """Send a piece of the answer, and wait until the client has taken it or hangs up.

        Raises StreamClosedError when it is gone, or takes nothing for long.
        """
        self.write(data)
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self.flush()
        except TimeoutError:
            self.hang_up()
            raise StreamClosedError from None

    async def send_events(self, events: EventStream) -> None:
        """Send a stream to its end, or as long as its client takes it."""
        self.set_header("Content-Type", MEDIA_TYPE)
        try:
            await self.send()
            while data := await events.take():
                await self.send(data)
            if not self.client_gone:
                await self.finish()
        except StreamClosedError:
            return

    def answer(self, message: BaseModel, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(as_json(message))

    def answer_nothing(self) -> None:
        self.set_status(204)
        self.clear_header("Content-Type")
        self.finish()

    def _answer_early(self, error: errors.RLMKernelError) -> None:
        """Answer before the body was read, after which tornado hangs up; the client is told so."""
        self.clear()
        self.set_header("Connection", "close")
        self._write_fault(error)

    def set_default_headers(self) -> None:
        self.set_header("Server", "rlm-kernel")
        self.set_header("Cache-Control", "no-store")
        # No answer is a page, not even a file of a session that would like to be one.
        self.set_header("Content-Security-Policy", "default-src 'none'; sandbox")

    def compute_etag(self) -> None:
        return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        cause = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        error = as_fault(cause, status_code, self.services.failure)
        if self._begun:
            self._write_fault(error)
        else:
            self._answer_early(error)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if not isinstance(value, errors.RLMKernelError | HTTPError):
            path = self.request.path
            _log.error("a request failed", extra={"path": path}, exc_info=(typ, value, tb))  # type: ignore[arg-type]

    def _takes_method(self) -> bool:
        return self.request.method in self.methods

    def _check_size(self, size: int) -> None:
        if size > self.max_body_bytes:
            raise errors.BodyTooLarge(
                f"the body is larger than the {self.max_body_bytes} bytes that are taken here"
            )

    def _write_fault(self, error: errors.RLMKernelError) -> None:
        if retry_after := retry_after_of(error):
            self.set_header("Retry-After", retry_after)
        if isinstance(error, errors.RangeNotSatisfiable):
            self.set_header("Content-Range", f"bytes */{error.size}")
        if isinstance(error, errors.MethodNotAllowed):
            self.set_header("Allow", ", ".join(self.methods))
        if isinstance(error, errors.Unauthorized):
            self.set_header("WWW-Authenticate", "Bearer")
        self.answer(body_of(error), status_of(error))


class UnknownRoute(Handler):
    """Answers every path that no other handler has."""

    def check(self) -> None:
        self.admit()
        raise errors.RouteNotFound(f"there is nothing at {self.request.path[:SHOWN_PATH]}")


def admitted(door: Door, request: HTTPServerRequest, *, token_needed: bool = True) -> Visitor:
    """Whom a request is from. Raises what keeps it out."""
    shown = request.query_arguments.get("token", [b""])[-1]
    return door.admit(request.headers, shown=shown, token_needed=token_needed)


class Refusal(Handler):
    """Answers a request with an error, whatever it asks for."""

    def initialize(self, services: Reception, error: errors.RLMKernelError) -> None:  # type: ignore[override]
        super().initialize(services)
        self._error = error

    def check(self) -> None:
        raise self._error


def as_fault(
    error: BaseException | None, status: int, failure: type[errors.RLMKernelError]
) -> errors.RLMKernelError:
    """What is told of an error, whatever it is."""
    if isinstance(error, errors.RLMKernelError):
        return error
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return errors.MethodNotAllowed("there is no such method")
    if 400 <= status < 500:
        return errors.BadRequest(str(error) if isinstance(error, HTTPError) else "bad request")
    return failure(FAILED)
