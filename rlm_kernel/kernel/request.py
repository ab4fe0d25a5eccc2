"""Requests: where each came from, and the one line in which they wait for the session."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rlm_kernel.kernel.message import Channel, Content, Header, Message
from rlm_kernel.kernel.sink import Client
from rlm_kernel.sandbox import Event

REMEMBERED_ORIGINS = 1024

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Origin:
    """Whose code an event comes from. `observer` is set while a result is being gathered."""

    header: Header
    client: Client
    observer: Callable[[Event], None] | None = None


@dataclass(slots=True, eq=False)
class Request:
    """One request in line. `id` is the kernel's own: ids of two clients may be the same."""

    id: str
    channel: Channel
    message: Message
    client: Client
    timeout: float | None = None
    aborted: bool = False
    interrupted: bool = False

    @property
    def header(self) -> Header:
        return self.message.header

    @property
    def content(self) -> Content:
        return self.message.content

    @property
    def is_abortable(self) -> bool:
        """Whether it leaves the line unserved at a restart."""
        return self.message.kind == "execute_request"

    @property
    def time_limit(self) -> float | None:
        """Seconds that the request may take: its own limit, or `timeout` of its metadata."""
        if self.timeout is not None:
            return self.timeout
        asked = self.message.metadata.get("timeout")
        if not isinstance(asked, int | float) or isinstance(asked, bool):
            return None
        return float(asked) if 0 < asked < math.inf else None


class Origins:
    """Remembers requests until they end, and the latest of those that did for their late output.

    Those that come `after` others have none of their ids, which tasks of a forked session may use.
    """

    def __init__(self, limit: int = REMEMBERED_ORIGINS, *, after: Origins | None = None) -> None:
        self._limit = limit
        self._open: dict[str, Origin] = {}
        self._ended: OrderedDict[str, Origin] = OrderedDict()
        self._last: int = 0 if after is None else after._last

    def add(self, origin: Origin) -> str:
        """The id under which the origin is remembered."""
        self._last += 1
        request_id = str(self._last)
        self._open[request_id] = origin
        return request_id

    def end(self, request_id: str) -> None:
        """The request was answered, or will never be served."""
        origin = self._open.pop(request_id, None)
        if origin is not None:
            self._ended[request_id] = origin
        if len(self._ended) > self._limit:
            self._ended.popitem(last=False)

    def get(self, request_id: str) -> Origin | None:
        return self._open.get(request_id) or self._ended.get(request_id)


class RequestLine:
    """Serves requests one at a time in the order in which they came, whoever sent them.

    A task runs only while there is something to serve.
    """

    def __init__(self, serve: Callable[[Request], Awaitable[None]]) -> None:
        self._serve = serve
        self._waiting: deque[Request] = deque()
        self._serving = False
        self._server: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self._server is not None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def put(self, request: Request) -> None:
        self._waiting.append(request)
        if self._server is None:
            self._server = asyncio.create_task(self._serve_all())

    def interrupt_next(self) -> bool:
        """Marks the first cell as interrupted where nothing is served yet; whether it did."""
        cells = (request for request in self._waiting if request.message.kind == "execute_request")
        first = None if self._serving else next(cells, None)
        if first is not None:
            first.interrupted = True
        return first is not None

    def discard(self, request: Request) -> bool:
        """Takes a request out of the line, and says whether it was there: one that is being served
        stays."""
        is_waiting = request in self._waiting
        if is_waiting:
            self._waiting.remove(request)
        return is_waiting

    def abort(self, client: Client | None = None) -> None:
        """Marks what `client`, or everyone, has waiting in line to be executed as aborted."""
        for request in self._waiting:
            if request.is_abortable and client in (None, request.client):
                request.aborted = True

    async def wait_empty(self) -> None:
        """Returns when everything that is in line has been served."""
        while self._server is not None:
            await asyncio.shield(self._server)

    async def _serve_all(self) -> None:
        try:
            while self._waiting:
                await self._serve_one(self._waiting.popleft())
        finally:
            self._server = None

    async def _serve_one(self, request: Request) -> None:
        self._serving = True
        try:
            await self._serve(request)
        except Exception:  # must not keep those behind it from being served
            log.exception("a request was not answered")
        finally:
            self._serving = False
