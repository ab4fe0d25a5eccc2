"""A client inside of this process: it executes one piece of code and gets one result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rlm_kernel.errors import SandboxClosed, SandboxError, ZygoteError
from rlm_kernel.kernel.contents import error_content
from rlm_kernel.kernel.message import Channel, Message
from rlm_kernel.sandbox import Capture, Event, ExecutionResult, Reply

ABORTED = error_content("ExecutionAborted", "the session was restarted before this code ran")


class Caller:
    """Gathers what one execution comes to; `outcome` is its result. It answers no questions.

    With `observe`, that is called with the events, and the result has nothing of them.
    """

    def __init__(self, observe: Callable[[Event], None] | None = None) -> None:
        self.outcome: asyncio.Future[ExecutionResult] = asyncio.get_running_loop().create_future()
        self._capture = Capture()
        self.observe = observe or self._capture

    def send(self, channel: Channel, message: Message) -> bool:
        if channel == "stdin":
            return False
        if not self.outcome.done():
            self._conclude(message)
        return True

    def _conclude(self, message: Message) -> None:
        content, facts = message.content, message.metadata
        if content["status"] == "aborted":
            self.outcome.set_result(self._capture.result(Reply(ABORTED, "lost"), 0.0))
        elif "state" in facts:
            reply = Reply(content, facts["state"], facts["timed_out"])
            self.outcome.set_result(self._capture.result(reply, facts["duration_ms"]))
        else:
            self.outcome.set_exception(_failure(content["ename"], content["evalue"]))


class Nobody:
    """Stands for a client that is gone."""

    def send(self, channel: Channel, message: Message) -> bool:
        return False


def _failure(ename: str, evalue: str) -> SandboxError:
    known = {error.__name__: error for error in (SandboxClosed, ZygoteError)}
    if ename in known:
        return known[ename](evalue)
    return SandboxError(f"{ename}: {evalue}")
