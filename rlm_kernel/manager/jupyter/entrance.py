"""The way in to handlers that are not the manager's own: the door first, then a bounded body."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)

from rlm_kernel.errors import BodyTooLarge, RLMKernelError

Admit = Callable[[HTTPServerRequest], Awaitable[HTTPMessageDelegate]]
Refuse = Callable[[HTTPServerRequest, RLMKernelError], HTTPMessageDelegate]


class Entrance(HTTPMessageDelegate):
    """Hands a request to what `admit` gives, or, where that raises, to what `refuse` gives.

    The handler sees nothing of a request before it is admitted, nor of one with a larger body than
    `max_body_bytes`.
    """

    def __init__(
        self, request: HTTPServerRequest, admit: Admit, refuse: Refuse, max_body_bytes: int
    ) -> None:
        self._request = request
        self._admit = admit
        self._refuse = refuse
        self._limit = max_body_bytes
        self._received = 0
        self._inner: HTTPMessageDelegate | None = None
        self._start_line: RequestStartLine | ResponseStartLine | None = None
        self._refused = False

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        self._start_line = start_line
        try:
            self._inner = await self._admit(self._request)
            self._check_size(int(headers.get("Content-Length", "0")))
        except RLMKernelError as error:
            await self._turn_away(error)
        else:
            await _settled(self._inner.headers_received(start_line, headers))

    async def data_received(self, chunk: bytes) -> None:
        self._received += len(chunk)
        try:
            self._check_size(self._received)
        except BodyTooLarge as error:
            await self._turn_away(error)
        assert self._inner is not None
        await _settled(self._inner.data_received(chunk))

    def finish(self) -> None:
        if self._inner is not None:
            self._inner.finish()

    def on_connection_close(self) -> None:
        if self._inner is not None:
            self._inner.on_connection_close()

    async def _turn_away(self, error: RLMKernelError) -> None:
        """Has what refuses take the rest of the request, whatever it is."""
        assert self._start_line is not None
        self._refused = True
        self._inner = self._refuse(self._request, error)
        await _settled(self._inner.headers_received(self._start_line, self._request.headers))

    def _check_size(self, size: int) -> None:
        if size > self._limit and not self._refused:
            raise BodyTooLarge(
                f"the body is larger than the {self._limit} bytes that are taken here"
            )


async def _settled(result: Awaitable[None] | None) -> None:
    if inspect.isawaitable(result):
        await result
