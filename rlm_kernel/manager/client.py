"""The manager's HTTP interface from the other end: typed calls, typed errors."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from rlm_kernel.errors import (
    BadRequest,
    ConfigurationError,
    ManagerError,
    ManagerUnavailable,
    TryLater,
)
from rlm_kernel.http import tracing
from rlm_kernel.http.events import MEDIA_TYPE, EventDecoder
from rlm_kernel.http.faults import error_of
from rlm_kernel.http.messages import Fault, FaultBody
from rlm_kernel.manager.cell_events import (
    MESSAGE_OF,
    CellEvent,
)
from rlm_kernel.manager.wire import (
    AUTHOR,
    CellEnd,
    Deleted,
    ExecuteRequest,
    ExecutionResult,
    FileEntry,
    FileList,
    ForkRequest,
    Health,
    Readiness,
    SessionDetails,
    SessionInfo,
    SessionList,
    SessionRequest,
)

Message = TypeVar("Message", bound=BaseModel)

_CONNECT_SECONDS = 10.0


class ManagerClient:
    """Speaks to one manager; an asynchronous context manager, safe to use from many tasks.

    Every call raises the error that the manager answered with (see `rlm_kernel.errors`), with its
    `retry_after` where that was told, and ManagerUnavailable when there is no answer. A call waits
    as long as the manager takes to answer it: a cell may run for hours. No proxy is used, whatever
    the environment says. `author` is whose cells those are that it sends, for those who watch.
    Raises ConfigurationError for what is not a URL.
    """

    def __init__(
        self,
        base_url: str = "http://localhost:8080",
        *,
        token: str | None = None,
        author: str = AUTHOR,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._author = author
        self._http = self._http_client(token)

    def _http_client(self, token: str | None) -> httpx.AsyncClient:
        try:
            return httpx.AsyncClient(
                base_url=self.base_url,
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
                trust_env=False,
                event_hooks={"request": [_carry_trace]},
                verify=_tls_context() if self.base_url.startswith("https:") else False,
            )
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"{self.base_url!r} is not a URL: {error}") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections; sessions live on. Idempotent."""
        await self._http.aclose()

    async def create_session(self, *, owned: bool = False) -> SessionInfo:
        """A new session. Raises TooManySessions.

        One that is `owned` is not ended or restarted by a Jupyter client's shutdown request.
        """
        return await self._begin("/session", SessionRequest(owned=owned))

    async def fork_session(
        self, session_id: str, *, owned: bool = False, mid_cell: bool = False
    ) -> SessionInfo:
        """A live copy of a session as a new one, made after all that it was asked to do before.

        With `mid_cell` it is made at once where the running cell waits for an answer; in the copy
        that cell is interrupted there. Raises TooManySessions, ForkFailed, and RequestAborted when
        the session is restarted first.
        """
        request = ForkRequest(owned=owned, mid_cell=mid_cell)
        return await self._begin(_path(session_id, "fork"), request)

    async def _begin(self, path: str, request: SessionRequest) -> SessionInfo:
        asked = request.model_dump_json(exclude_defaults=True)
        body = None if asked == "{}" else asked
        return _read(SessionInfo, await self._call("POST", path, content=body))

    async def session(self, session_id: str) -> SessionDetails:
        """What the manager knows of a session."""
        return _read(SessionDetails, await self._call("GET", _path(session_id)))

    async def list_sessions(self) -> list[SessionDetails]:
        """The sessions that live, oldest first."""
        return _read(SessionList, await self._call("GET", "/sessions")).sessions

    async def execute(
        self,
        session_id: str,
        code: str,
        *,
        timeout: float | None = None,
        queue: bool = True,
        interrupt_on_disconnect: bool = False,
    ) -> ExecutionResult:
        """Run a cell, after those before it; `timeout` in seconds.

        An exception in the cell is a result, not an error here. Raises SessionBusy if the cell
        must not queue but would. A call that is cancelled lets the cell run on, unless it is to be
        interrupted then.
        """
        body = _request_body(code, timeout, queue, interrupt_on_disconnect, self._author)
        answer = await self._call("POST", _path(session_id, "execute"), content=body)
        return _read(ExecutionResult, answer)

    async def execute_stream(
        self,
        session_id: str,
        code: str,
        *,
        timeout: float | None = None,
        queue: bool = True,
        interrupt_on_disconnect: bool = False,
    ) -> AsyncGenerator[CellEvent]:
        """What a cell does, as it happens; the last event is a CellEnd.

        Whoever stops listening before (close the generator then) lets the cell run on, unless it is
        to be interrupted. Raises what `execute` raises, and ReaderTooSlow when too much waited for
        its reader.
        """
        body = _request_body(code, timeout, queue, interrupt_on_disconnect, self._author)
        path, headers = _path(session_id, "execute"), {"Accept": MEDIA_TYPE}
        async with self._streamed("POST", path, content=body, headers=headers) as response:
            decoder = EventDecoder()
            async for data in response.aiter_raw():
                for name, content in decoder.feed(data):
                    event = _read_event(name, content)
                    if event is not None:
                        yield event
                    if isinstance(event, CellEnd):
                        return
        raise ManagerUnavailable(f"{self.base_url} broke off in the middle of a cell")

    async def interrupt(self, session_id: str) -> None:
        """Raise KeyboardInterrupt in the cell that runs, if one does."""
        await self._call("POST", _path(session_id, "interrupt"))

    async def restart(self, session_id: str) -> None:
        """Let a session begin anew, without its variables."""
        await self._call("POST", _path(session_id, "restart"))

    async def connection(self, session_id: str) -> dict[str, Any]:
        """What a Jupyter connection file of the session's kernel holds."""
        info: dict[str, Any] = (await self._call("GET", _path(session_id, "connection"))).json()
        return info

    def channels(self, session_id: str) -> tuple[str, dict[str, str]]:
        """The URL of the WebSocket with the channels of the session's kernel, as Jupyter Server
        has them, but for its scheme, and the headers that open it."""
        headers = {
            name: value for name, value in self._http.headers.items() if name == "authorization"
        }
        return f"{self.base_url}/api/kernels/{quote(session_id, safe='')}/channels", headers

    async def replay(self, session_id: str) -> dict[str, Any]:
        """What the session last published: `dropped` older messages are gone, `messages` left."""
        kept: dict[str, Any] = (await self._call("GET", _path(session_id, "replay"))).json()
        return kept

    async def delete_session(self, session_id: str) -> None:
        """Destroy a session."""
        await self._call("DELETE", _path(session_id))

    async def delete_all(self) -> int:
        """Destroy every session of the manager; returns how many there were."""
        return _read(Deleted, await self._call("DELETE", "/sessions")).deleted

    async def put_file(
        self, session_id: str, path: str, data: bytes | AsyncIterable[bytes]
    ) -> None:
        """Write a file of the session; its folders are made. Raises FileError, BodyTooLarge."""
        await self._call("PUT", _path(session_id, "files", path), content=data)

    async def get_file(self, session_id: str, path: str) -> bytes:
        """The bytes of a file of the session. Raises FileError."""
        return (await self._call("GET", _path(session_id, "files", path))).content

    async def read_file(
        self, session_id: str, path: str, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes]:
        """The bytes of a file as they come, from `start` to before `end`.

        Raises FileError, RangeNotSatisfiable when none of the bytes are there, and
        ManagerUnavailable when the file changes meanwhile.
        """
        headers = {}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        path = _path(session_id, "files", path)
        async with self._streamed("GET", path, headers=headers) as response:
            async for data in response.aiter_raw():
                yield data

    async def list_files(self, session_id: str, folder: str = "") -> list[FileEntry]:
        """What is in a folder, without what is in folders of it. Raises FileError."""
        path, found = _path(session_id, "files", _folder(folder)), list[FileEntry]()
        page = _read(FileList, await self._call("GET", path))
        found += page.entries
        while page.next is not None:
            page = _read(FileList, await self._call("GET", f"{path}?after={page.next}"))
            found += page.entries
        return found

    async def read_folder(self, session_id: str, folder: str = "") -> AsyncGenerator[bytes]:
        """A folder with all that is in it as a tar archive, as it comes. Raises FileError."""
        path = _path(session_id, "files", _folder(folder)) + "?tar"
        async with self._streamed("GET", path) as response:
            async for data in response.aiter_raw():
                yield data

    async def write_folder(
        self, session_id: str, folder: str, archive: bytes | AsyncIterable[bytes]
    ) -> None:
        """Unpack a tar archive of files, folders and symbolic links into a folder.

        What was there stays, as does what was unpacked before an error. Raises FileError,
        BodyTooLarge, and BadRequest for what is no archive or has members that lead out of it.
        """
        path = _path(session_id, "files", _folder(folder)) + "?tar"
        await self._call("PUT", path, content=archive)

    async def delete_file(self, session_id: str, path: str) -> None:
        """Remove a file, a link, or a folder with all that is in it. Raises FileError."""
        await self._call("DELETE", _path(session_id, "files", path))

    async def health(self) -> Health:
        """That the manager is alive."""
        return _read(Health, await self._call("GET", "/health"))

    async def ready(self) -> Readiness:
        """That the manager can run code; it shows so by doing it. Raises NotReady."""
        return _read(Readiness, await self._call("GET", "/ready"))

    async def metrics(self) -> bytes:
        """What the manager counts, in Prometheus's text format."""
        return (await self._call("GET", "/metrics")).content

    async def _call(
        self, method: str, path: str, *, content: str | bytes | AsyncIterable[bytes] | None = None
    ) -> httpx.Response:
        with self._explained():
            response = await self._http.request(method, path, content=content)
        if response.is_success:
            return response
        raise _fault(response)

    @asynccontextmanager
    async def _streamed(
        self,
        method: str,
        path: str,
        *,
        content: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is read piece by piece."""
        with self._explained():
            async with self._http.stream(
                method, path, content=content, headers=headers
            ) as response:
                if not response.is_success:
                    await response.aread()
                    raise _fault(response)
                yield response

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (httpx.TransportError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ManagerUnavailable(f"no answer from {self.base_url}: {reason}") from error


async def _carry_trace(request: httpx.Request) -> None:
    tracing.carry(request.headers)


@cache
def _tls_context() -> ssl.SSLContext:
    """One for all clients: reading the certificates takes longer than a session does to start."""
    return httpx.create_ssl_context()


def _request_body(
    code: str, timeout: float | None, queue: bool, interrupt_on_disconnect: bool, author: str
) -> str:
    try:
        request = ExecuteRequest(
            code=code,
            timeout=timeout,
            queue=queue,
            interrupt_on_disconnect=interrupt_on_disconnect,
            author=author,
        )
        return request.model_dump_json(exclude_defaults=True)
    except (ValidationError, PydanticSerializationError) as error:
        raise BadRequest(str(error)) from error


def _path(session_id: str, *rest: str) -> str:
    parts = [quote(session_id, safe=""), *(_quoted(part) for part in rest)]
    return "/session/" + "/".join(parts)


def _quoted(path: str) -> str:
    """A path for a URL; bytes that are no text are as `os.fsdecode` has them."""
    try:
        return quote(path, safe="/", errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise BadRequest(f"{path!r} is no path") from error


def _folder(path: str) -> str:
    return path if path.endswith("/") or not path else f"{path}/"


def _read(message: type[Message], response: httpx.Response) -> Message:
    try:
        return message.model_validate_json(response.content)
    except ValidationError as error:
        raise ManagerError(
            f"{response.url} answered what no manager answers; is it one?"
        ) from error


def _read_event(name: str, data: bytes) -> CellEvent | None:
    """The event of this name; none where a newer manager sends what is not known here."""
    message = MESSAGE_OF.get(name)
    try:
        event = None if message is None else message.model_validate_json(data)
    except ValidationError as error:
        raise ManagerError(f"an event {name!r} is not of a manager's form") from error
    if isinstance(event, Fault):
        raise error_of(event)
    return cast("CellEvent | None", event)


def _fault(response: httpx.Response) -> Exception:
    try:
        error = error_of(FaultBody.model_validate_json(response.content).error)
    except ValidationError:
        return ManagerError(f"{response.url} answered {response.status_code}; is it a manager?")
    seconds = response.headers.get("Retry-After", "")
    if isinstance(error, TryLater) and seconds.isdecimal():
        error.retry_after = int(seconds)
    return error
