"""Running one cell: the reply, and what an interrupt does meanwhile."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

from rlm_kernel.guest.events import Events, current_request
from rlm_kernel.guest.interrupts import Interrupts
from rlm_kernel.guest.link import Link
from rlm_kernel.guest.loop import SessionLoop
from rlm_kernel.guest.prompt_fields import NEXT_COUNT, TOLD_COUNT
from rlm_kernel.guest.reserve import Reserve
from rlm_kernel.guest.shell import SessionShell, content_of, exit_status
from rlm_kernel.guest.stack import Stack

Content = dict[str, Any]
T = TypeVar("T")


class Execution:
    """Runs cells in the shell. The loop must be running; one cell at a time.

    All run in the one `context`, so that what a cell sets there is set for later ones.
    """

    def __init__(
        self,
        interrupts: Interrupts,
        link: Link,
        loop: SessionLoop,
        shell: SessionShell,
        events: Events,
        reserve: Reserve,
    ) -> None:
        self.context = contextvars.Context()
        self._interrupts = interrupts
        self._link = link
        self._loop = loop
        self._shell = shell
        self._events = events
        self._reserve = reserve
        self._cell: asyncio.Task[Any] | None = None
        self._request_id = ""
        self._in_user_code = False
        interrupts.act = self._on_interrupt

    async def run(self, content: Content) -> Content:
        """Runs the cell of an `execute_request` and gives the content of its reply."""
        code, silent = content["code"], content.get("silent", False)
        store = content.get("store_history", True) and not silent
        shell = self._shell
        if not silent and content.get(TOLD_COUNT) != shell.execution_count:
            self._events.emit(
                "execute_input", {"code": code, "execution_count": shell.execution_count}
            )
        count = shell.execution_count
        error = await self._run_cell(code, silent, store)
        reply: Content = {"status": "ok", "execution_count": count, "user_expressions": {}}
        failure = shell.result_error if error is None else shell.last_error or content_of(error)
        if failure is None:
            expressions = content.get("user_expressions") or {}
            reply["user_expressions"] = self._interruptibly(
                lambda: shell.user_expressions(expressions)
            )
        else:
            reply |= {"status": "error", **failure}
            if isinstance(error, SystemExit):
                reply["exit_status"] = exit_status(error)  # "3" is a last word, 3 a status
        reply["payload"] = shell.payload_manager.read_payload()
        if reply["payload"]:
            shell.payload_manager.clear_payload()
        reply[NEXT_COUNT] = shell.execution_count
        return reply

    def call(self, run: Callable[[], T]) -> T:
        """Calls what may run code of the user's outside of a cell; an interrupt ends it."""
        self._heed_interrupts()

        def noticing() -> T:
            self._notice_early_interrupt()
            return run()

        try:
            return self._interruptibly(noticing)
        finally:
            self._request_id = ""

    async def _run_cell(self, code: str, silent: bool, store: bool) -> BaseException | None:
        """Runs the cell and gives the exception that ended it, which has been shown."""
        shell = self._shell
        shell.last_error = shell.result_error = None
        self._heed_interrupts()
        try:
            result = await self._run_in_shell(code, {"silent": silent, "store_history": store})
        except (KeyboardInterrupt, asyncio.CancelledError):
            interrupt = KeyboardInterrupt()
            shell._showtraceback(KeyboardInterrupt, interrupt, ["KeyboardInterrupt"])
            return interrupt
        except BaseException as error:  # of an extension's hooks, say
            shell.showtraceback()
            return error
        finally:
            self._request_id = ""
        ended: BaseException | None = result.error_before_exec or result.error_in_exec
        return ended

    def _heed_interrupts(self) -> None:
        """From here on an interrupt is for the request that is being served."""
        self._shell.interrupted = self._shell.ended = False
        self._request_id = current_request.get()
        self._interrupts.install()

    async def _run_in_shell(self, code: str, options: Content) -> Any:
        shell = self._shell
        transformed, failure = self._transform(code)
        prepared = {"transformed_cell": transformed, "preprocessing_exc_tuple": failure}
        if shell.should_run_async(code, **prepared):
            return await self._run_async(code, {**options, **prepared})
        return self._interruptibly(lambda: self._run_at_once(code, {**options, **prepared}))

    def _transform(self, code: str) -> tuple[str, Any]:
        try:
            return self._shell.transform_cell(code), None
        except Exception:
            return code, sys.exc_info()

    def _run_at_once(self, code: str, options: Content) -> Any:
        """What the shell's `run_cell` does, but for preparing the cell once more."""
        self._notice_early_interrupt()
        result = None
        try:
            result = _result_of(self._shell.run_cell_async(code, **options))
        finally:
            self._tell_of_end(result, options)
        return result

    async def _run_async(self, code: str, options: Content) -> Any:
        """Awaits a cell with top-level await in a task of its own, which an interrupt cancels."""
        with self._interrupts:
            self._notice_early_interrupt()
            cell = self._shell.run_cell_async(code, **options)
            self._cell = self._loop.create_task(cell, context=self.context)
        result = None
        try:
            result = await self._cell
        finally:
            self._cell = None
            self._tell_of_end(result, options)
        return result

    def _tell_of_end(self, result: Any, options: Content) -> None:
        self._shell.events.trigger("post_execute")
        if not options["silent"]:
            self._shell.events.trigger("post_run_cell", result)

    def _interruptibly(self, run: Callable[[], T]) -> T:
        """Calls what runs the user's code."""
        self._in_user_code = True
        try:
            return run()
        finally:
            self._in_user_code = False

    def _notice_early_interrupt(self) -> None:
        """KeyboardInterrupt where the interrupt came before the cell started."""
        interrupted = self._link.was_interrupted(self._request_id)
        self._link.forget_interrupts()
        if interrupted:
            raise KeyboardInterrupt

    def _on_interrupt(self, frame: FrameType | None) -> None:
        """Ends the running cell if the interrupt is for it, and whatever hinders its end.

        KeyboardInterrupt where the user's code runs: the cell's own, that of a task it waits for,
        or of one that keeps the loop to itself. Raised anywhere else it would hit the session's
        own code, so there a waiting cell is cancelled.
        """
        self._reserve.release_if_scarce()
        if self._is_meant():
            self._end_what_runs(Stack(frame))
        self._link.end_wait()  # what was read meanwhile may be what is waited for

    def _end_what_runs(self, stack: Stack) -> None:
        raises = self._may_be_interrupted(stack)
        waiting = None if asyncio.current_task(self._loop) is self._cell else self._cell
        if self._request_id and (raises or waiting):
            self._link.forget_interrupts()
        if waiting:
            self._loop.call_soon(self._cancel, waiting)
        if raises:
            raise KeyboardInterrupt

    def _is_meant(self) -> bool:
        """Whether the request that runs was interrupted, or one that cannot even start."""
        if self._request_id:
            return self._link.was_interrupted(self._request_id)
        return self._link.interrupted_in_line()

    def _may_be_interrupted(self, stack: Stack) -> bool:
        runs_cell = stack.is_own or asyncio.current_task(self._loop) is self._cell is not None
        if runs_cell and self._shell.ended:
            return stack.uses(self._shell.user_ns)
        return self._in_user_code if stack.is_own else not stack.is_machinery

    def _cancel(self, cell: asyncio.Task[Any]) -> None:
        if not cell.done():
            self._shell.interrupted = True
            cell.cancel()


def _result_of(cell: Coroutine[Any, Any, Any]) -> Any:
    """The result of a cell that awaits nothing."""
    try:
        cell.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("a cell without top-level await waited for something")
