"""The program of a session: takes requests in order and answers each."""

from __future__ import annotations

import asyncio
import builtins
import gc
import getpass
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rlm_kernel.guest import entropy, host, refusals
from rlm_kernel.guest.asking import Asker, stdin_allowed
from rlm_kernel.guest.budget import COMM_MESSAGES, Budget
from rlm_kernel.guest.bundles import shortened
from rlm_kernel.guest.comms import Comms
from rlm_kernel.guest.completion import use_image
from rlm_kernel.guest.debugger import use_interruptible
from rlm_kernel.guest.events import Events, current_request
from rlm_kernel.guest.execution import Execution
from rlm_kernel.guest.frames import Frame
from rlm_kernel.guest.interrupts import Interrupts
from rlm_kernel.guest.introspection import Introspection
from rlm_kernel.guest.kernel import current_header
from rlm_kernel.guest.leisure import Leisure
from rlm_kernel.guest.link import Link
from rlm_kernel.guest.loop import SessionLoop
from rlm_kernel.guest.preload import import_all
from rlm_kernel.guest.raw_output import RawOutput
from rlm_kernel.guest.reserve import Reserve
from rlm_kernel.guest.settling import fill_holes, settle, settle_new
from rlm_kernel.guest.shell import ERROR_TEXT_MAX, SessionShell, content_of, text_of
from rlm_kernel.guest.streams import OutputStream

Content = dict[str, Any]

WARM_UP = (
    "1 + 1",
    "print(end='')",
    "import asyncio; await asyncio.sleep(0)",
    "display(print)",
)
"""Cells run before the first fork, so that no session pays for what their first use imports."""

COMPLETED = ("zi", "import typing\ntyping.Ca")
"""Code completed then too, which loads the syntax trees that nearly every completion needs."""

COMPLETED_AT_LEISURE = ("''.up", "import os\nos.pa")
"""Code whose completion loads those that many need. A session that is not shared puts it off."""


class Session:
    """Owns the shell and the loop. Requests that arrive while one runs wait in line."""

    def __init__(self, budget: Budget) -> None:
        interrupts = Interrupts()
        self._link = Link(interrupts)
        self._reserve = reserve = Reserve()
        self._loop = SessionLoop(self._link, self._take_frames, reserve)
        asyncio.set_event_loop(self._loop)
        self._events = events = Events(self._link, interrupts, budget)
        self._raw_output = RawOutput(events)
        self._shell = SessionShell.create(events, reserve)
        self._execution = Execution(
            interrupts, self._link, self._loop, self._shell, events, reserve
        )
        self._comms = Comms(events)
        introspection = Introspection(self._shell)
        self._answers: dict[str, Callable[[Content], Content]] = {
            "is_complete_request": introspection.is_complete,
            "complete_request": introspection.complete,
            "inspect_request": introspection.inspect,
            "history_request": introspection.history,
            "comm_info_request": self._comms.info,
        }
        self._running: asyncio.Task[None] | None = None
        self._answered = 0
        self._leisure: Leisure | None = None
        self._furnish(interrupts)

    def _furnish(self, interrupts: Interrupts) -> None:
        """Puts what programs expect of a process in its place."""
        events = self._events
        events.watch_clock()
        sys.stdout = OutputStream("stdout", 1, events)
        sys.stderr = OutputStream("stderr", 2, events)
        host.asker = self._asker = asker = Asker(self._link, events)
        builtins.input = asker.input
        getpass.getpass = asker.getpass
        time.sleep = self._link.sleep  # type: ignore[assignment]  # else a busy wait in the C library, deaf to interrupts
        refusals.install()
        use_interruptible()
        interrupts.take_own_signals()
        sys.path.insert(0, "")
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
        logging.lastResort = logging.StreamHandler(sys.stderr)

    def warm(self, *, shared: bool) -> None:
        """Imports and fills what sessions need, then leaves no trace of it.

        What only pays when many sessions share it is left out, or put off, where they do not.
        """
        self._loop.run_until_complete(self._warm())
        if shared:
            self._format_an_error()
        self._shell.reset(new_session=True)
        use_image()
        if shared:
            settle(self._link.make_immortal)
            for code in (*COMPLETED, *COMPLETED_AT_LEISURE):
                self._complete(code)
            settle_new(self._link.make_immortal)
            fill_holes()
        else:
            for code in COMPLETED:
                self._complete(code)
            completions = (partial(self._complete, code) for code in COMPLETED_AT_LEISURE)
            self._leisure = Leisure(
                self._loop, self._count_answered, (self._format_an_error, *completions)
            )
        self._reserve.fill()  # what is immortal would not come back from it
        gc.freeze()

    async def _warm(self) -> None:
        for code in WARM_UP:
            await self._execution.run({"code": code, "silent": False, "store_history": False})
        self._answers["inspect_request"]({"code": "display"})

    def _format_an_error(self) -> None:
        """Imports what that takes, and shows it to nobody."""
        try:
            raise ValueError
        except ValueError:
            self._shell.InteractiveTB.structured_traceback(*sys.exc_info())

    def _complete(self, code: str) -> None:
        self._answers["complete_request"]({"code": code})

    def _count_answered(self) -> int | None:
        return self._answered if self._running is None else None

    def serve(self) -> None:
        self._raw_output.redirect()
        self._loop.call_soon(self._take_next)
        self._loop.run_until_closed()

    def _take_frames(self) -> None:
        self._asker.take_answer()
        self._take_next()

    def _take_next(self) -> None:
        while self._running is None and (frame := self._link.next()) is not None:
            if frame.kind == "renew":
                entropy.renew()
                self._link.take()
                if self._leisure is not None:
                    self._leisure.begin()
            elif frame.kind == "input_reply":  # nobody waits for it any more
                self._link.take()
            else:
                context = self._execution.context
                self._running = self._loop.create_task(self._answer(), context=context)

    async def _answer(self) -> None:
        frame = self._link.take()  # not before: what runs until then may have to be interrupted
        current_request.set(frame.request_id)
        self._events.begin()
        current_header.set(frame.content.get("header", {}))
        stdin_allowed.set(bool(frame.content.get("allow_stdin", False)))
        try:
            content = await self._respond(frame)
        except BaseException as error:
            self._reserve.release_for(error)
            content = {"status": "error", **content_of(error)}
        finally:
            self._running = None
            self._answered += 1
            if self._link.next() is not None:
                self._loop.call_soon(self._take_next)
        self._raw_output.send()
        self._reply(frame.request_id, content)
        self._reserve.fill()

    def _reply(self, request_id: str, content: Content) -> None:
        """Sends the reply, or, where that cannot be done, one that says why."""
        try:
            self._events.reply(request_id, content)
        except Exception as error:
            self._reserve.release_for(error)
            reason = f"the reply could not be sent: {shortened(text_of(error), ERROR_TEXT_MAX)}"
            minimal = {"status": "error", "ename": type(error).__name__, "evalue": reason}
            self._events.reply(request_id, {**minimal, "traceback": []})

    async def _respond(self, frame: Frame) -> Content:
        if frame.kind == "execute_request":
            return await self._execution.run(frame.content)
        if frame.kind in COMM_MESSAGES:
            handle = self._comms.handle
            return self._execution.call(lambda: handle(frame.kind, frame.content, frame.buffers))
        answer = self._answers.get(frame.kind)
        if answer is None:
            raise NotImplementedError(f"this session does not know {frame.kind}")
        return self._execution.call(lambda: answer(frame.content))


def main(
    output_bytes: int, display_bytes: int, preload: Sequence[str] = (), *, shared: bool = True
) -> None:
    """Serves for ever; the numbers are what each cell may print and display, `preload` are modules
    to import first, and `shared` is whether many sessions will come from this one."""
    session = Session(Budget(output_bytes, display_bytes))
    import_all(preload)
    session.warm(shared=shared)
    session.serve()
