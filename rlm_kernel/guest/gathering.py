"""Calls of the host that code awaits: those awaited at the same time go out as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from rlm_kernel.guest.events import current_request

TOGETHER = "gather"
"""The host function that makes several calls at once: `calls` are {"name", "args"}, and its value
has the outcome of each in the same order, of the form that the answer to a single call has."""

Arguments = dict[str, Any]
Answer = asyncio.Future[Any]

_IDLE_STEPS = 3


@dataclass(slots=True)
class _Line:
    """The calls of one request: those that wait to be sent, and those that are out."""

    waiting: list[tuple[str, Arguments, Answer]] = field(default_factory=list)
    out: list[tuple[str, Arguments, Answer]] = field(default_factory=list)
    sender: asyncio.Task[None] | None = None

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody awaits any of them any more."""
        return all(answer.done() for _, _, answer in (*self.waiting, *self.out))


class Gathering:
    """Makes calls without holding up the loop: `ask` puts one, `value_of` reads what it gave.

    The host answers one question at a time. Calls that are awaited while others are out follow
    together, as soon as those are answered.
    """

    def __init__(
        self, ask: Callable[[str, Arguments], Awaitable[Any]], value_of: Callable[[Any], Any]
    ) -> None:
        self._ask = ask
        self._value_of = value_of
        self._lines: dict[str, _Line] = {}

    async def call(self, name: str, args: Arguments) -> Any:
        """The value of the call. Raises what `ask` or `value_of` raises."""
        request_id = current_request.get()
        line = self._lines.setdefault(request_id, _Line())
        answer: Answer = asyncio.get_running_loop().create_future()
        line.waiting.append((name, args, answer))
        if line.sender is None:
            line.sender = asyncio.create_task(self._send_all(request_id, line))
        try:
            return await answer
        finally:
            if line.is_abandoned:
                self._close(request_id, line)  # at once: what is called next needs another sender
                line.sender.cancel()

    async def _send_all(self, request_id: str, line: _Line) -> None:
        try:
            while line.waiting:
                await _complete(line.waiting)
                line.out = [call for call in line.waiting if not call[2].done()]
                line.waiting.clear()
                await self._send(line.out)
        finally:
            self._close(request_id, line)

    def _close(self, request_id: str, line: _Line) -> None:
        """The next call of the request begins another line."""
        if self._lines.get(request_id) is line:
            del self._lines[request_id]

    async def _send(self, calls: list[tuple[str, Arguments, Answer]]) -> None:
        try:
            outcomes = await self._outcomes(calls)
        except Exception as error:
            for _, _, answer in calls:
                _fail(answer, error)
            return
        for (_, _, answer), outcome in zip(calls, outcomes, strict=True):
            try:
                value = self._value_of(outcome)
            except Exception as error:
                _fail(answer, error)
            else:
                if not answer.done():
                    answer.set_result(value)

    async def _outcomes(self, calls: list[tuple[str, Arguments, Answer]]) -> list[Any]:
        if len(calls) == 1:
            ((name, args, _),) = calls
            return [{"ok": await self._ask(name, args)}]
        asked = [{"name": name, "args": args} for name, args, _ in calls]
        outcomes = await self._ask(TOGETHER, {"calls": asked})
        if not isinstance(outcomes, list) or len(outcomes) != len(calls):
            raise ValueError(f"{len(calls)} outcomes were expected, not {outcomes!r:.200}")
        return outcomes


async def _complete(calls: list[Any]) -> None:
    """Returns when the code that makes calls has come to wait for their answers."""
    known = 0
    while known < len(calls):
        known = len(calls)
        for _ in range(_IDLE_STEPS):
            await asyncio.sleep(0)


def _fail(answer: Answer, error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # whoever awaits it gets it; nobody may do so any more
