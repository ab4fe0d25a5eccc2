"""Subshells: more lines in which requests wait for the session (JEP 91)."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterator

from rlm_kernel.errors import KernelRequestError
from rlm_kernel.kernel.request import Request, RequestLine
from rlm_kernel.kernel.sink import Client

MAX_SUBSHELLS = 64


class Subshells:
    """The main shell's line, and one for each subshell that clients have created.

    The session runs one request at a time, so those of a subshell wait for the one that runs, but
    for none that waits in another line. Lines take turns.
    """

    def __init__(self, serve: Callable[[Request], Awaitable[None]]) -> None:
        self._serve = serve
        self._main = RequestLine(serve)
        self._lines: dict[str, RequestLine] = {}

    @property
    def ids(self) -> list[str]:
        return list(self._lines)

    @property
    def busy(self) -> bool:
        return any(line.busy for line in self._all())

    @property
    def waiting(self) -> int:
        return sum(line.waiting for line in self._all())

    def create(self) -> str:
        """The id of a new subshell. Raises KernelRequestError where there are too many."""
        if len(self._lines) >= MAX_SUBSHELLS:
            raise KernelRequestError(f"there are {MAX_SUBSHELLS} subshells already")
        subshell_id = uuid.uuid4().hex
        self._lines[subshell_id] = RequestLine(self._serve)
        return subshell_id
