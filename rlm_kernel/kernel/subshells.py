"""Subshells: more lines in which requests wait for the session (JEP 91)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from contextvars import Context

from rlm_kernel.errors import SubshellError
from rlm_kernel.kernel.request import Request, RequestLine

MAX_SUBSHELLS = 64


class Subshells:
    """The main shell's line, and one for each subshell that clients have created.

    The session runs one request at a time. Those of a subshell wait for the one that runs, but for
    none that waits in another line; lines take turns. Whoever put it in, a request is served in
    `context`.
    """

    def __init__(self, serve: Callable[[Request], Awaitable[None]], context: Context) -> None:
        self._serve = serve
        self._context = context
        self._main = RequestLine(serve)
        self._lines: dict[str, RequestLine] = {}
        self._leaving: list[RequestLine] = []

    @property
    def ids(self) -> list[str]:
        return list(self._lines)

    @property
    def busy(self) -> bool:
        return any(line.busy for line in self._all())

    @property
    def waiting(self) -> int:
        """How many requests wait in all lines behind those that are being served."""
        return sum(line.waiting for line in self._all())

    def create(self) -> str:
        """The id of a new subshell. Raises SubshellError where there are too many."""
        if len(self._lines) >= MAX_SUBSHELLS:
            raise SubshellError(f"there are {MAX_SUBSHELLS} subshells already")
        subshell_id = uuid.uuid4().hex
        self._lines[subshell_id] = RequestLine(self._serve)
        return subshell_id

    def delete(self, subshell_id: object) -> None:
        """Takes no more requests; those that wait are served. Raises SubshellError."""
        self._leaving.append(self._find(subshell_id))
        del self._lines[str(subshell_id)]

    def delete_all(self) -> None:
        self._leaving += self._lines.values()
        self._lines.clear()

    def put(self, request: Request) -> None:
        """Puts a request in the line that its header names. Raises SubshellError."""
        self._context.copy().run(self._line_of(request).put, request)

    def discard(self, request: Request) -> bool:
        """Takes a request out of its line, and says whether it was there: one that is being served
        stays."""
        return any(line.discard(request) for line in self._all())

    def interrupt_next(self) -> bool:
        """Interrupts what is about to be served and not yet with the session, if anything is."""
        return any(line.interrupt_next() for line in self._all())

    def abort_behind(self, request: Request) -> None:
        """Marks the cells of the same client that wait in the same line as aborted."""
        with contextlib.suppress(SubshellError):
            self._line_of(request).abort(request.client)

    def abort_all(self) -> None:
        """Marks all cells that wait as aborted."""
        for line in self._all():
            line.abort()

    async def wait_empty(self) -> None:
        """Returns when everything that is in line has been served."""
        await asyncio.gather(*(line.wait_empty() for line in self._all()))

    def _all(self) -> tuple[RequestLine, ...]:
        self._leaving = [line for line in self._leaving if line.busy]
        return self._main, *self._lines.values(), *self._leaving

    def _line_of(self, request: Request) -> RequestLine:
        subshell_id = request.header.get("subshell_id")
        return self._main if subshell_id is None else self._find(subshell_id)

    def _find(self, subshell_id: object) -> RequestLine:
        line = self._lines.get(subshell_id) if isinstance(subshell_id, str) else None
        if line is None:
            raise SubshellError("there is no such subshell")
        return line
