"""A session for callers that are not asynchronous: cells, files, and functions called for it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from rlm_kernel.agent.adapters.loop_thread import LoopThread
from rlm_kernel.agent.clipping import ClippedText
from rlm_kernel.agent.context import ContextFile
from rlm_kernel.agent.environment import CellResult, HostCallFailedError
from rlm_kernel.agent.events import OutputKind, RichOutput
from rlm_kernel.agent.factory import SidecarREPLFactory
from rlm_kernel.agent.feedback import INTERRUPTED, LOST, NO_INPUT, ROLLED_BACK, TIMED_OUT
from rlm_kernel.agent.session.session import ManagedSession
from rlm_kernel.errors import AgentError
from rlm_kernel.guest.adapter import REPORT_PATH

ENDING = "rlm-kernel-ending"
"""The name of a thread that ends a session which was forgotten."""

OnCall = Callable[[str, list[Any], dict[str, Any]], Any]

_STOP_SECONDS = 10.0
_PROBE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class CellRecord:
    """A cell that ran.

    `shown` is all that it showed, in order; `stdout` and `stderr` are its parts, results and
    displays in the first, the traceback in the second. `notes` tell what else became of it, in
    words for a model. `report` is what `guest.adapter` reports,
    empty where the cell failed. It comes from the session: nothing in it is to be trusted.
    """

    result: CellResult
    shown: str
    stdout: str
    stderr: str
    notes: tuple[str, ...]
    report: Mapping[str, Any]


class BlockingSession:
    """A session of the factory's manager, used by one thread at a time.

    It lives until `close`, and no longer than the object. `output_limit` is how many characters of
    a cell's output are kept.
    """

    def __init__(self, factory: SidecarREPLFactory, output_limit: int) -> None:
        self._output_limit = output_limit
        self._thread = LoopThread()
        try:
            self._session = self._thread.run(factory.open_environment())
        except BaseException:
            self._thread.close()
            raise
        self._forgotten = weakref.finalize(self, _end_forgotten, self._thread, self._session)

    @property
    def session_id(self) -> str:
        """The session's id; another one after the session had expired."""
        return self._session.session_id

    def prepare(self, files: Mapping[str, ContextFile], code: str) -> None:
        """Write files, by path, and run code of ours. Raises ManagerError, and AgentError where
        the code fails.
        """
        result = self._thread.run(self._session.prepare(files, code))
        if result.error is not None:
            raise AgentError(f"the session could not be prepared: {': '.join(result.error)}")

    def execute(self, code: str, *, timeout_s: float, on_call: OnCall | None = None) -> CellRecord:
        """Run a cell. The functions that it calls go to `on_call`, in this thread, one by one:
        the name, what was given by position and what by name. An Exception it raises is the
        cell's.

        Any other exception here meanwhile, such as KeyboardInterrupt, interrupts the cell; the
        session can be used on. Raises ManagerError.
        """
        output, calls = _Output(self._output_limit), SimpleQueue[_Call | None]()

        async def ask(name: str, args: dict[str, Any]) -> Any:
            call = _Call(name, args)
            calls.put(call)
            return await call.answer

        running = self._thread.begin(
            self._session.execute(
                code, timeout_s=timeout_s, on_output=output.write, on_host_call=ask
            )
        )
        running.add_done_callback(lambda _: calls.put(None))
        try:
            while (call := calls.get()) is not None:
                call.serve(on_call or _refuse)
        except BaseException:
            self._stop(running)
            raise
        try:
            return self._record(running.result(), output, timeout_s)
        except concurrent.futures.CancelledError as error:
            raise AgentError("the session was closed meanwhile") from error

    def report(self) -> Mapping[str, Any]:
        """What `guest.adapter` reports on the last cell, also where that failed."""
        return self.execute("", timeout_s=_PROBE_SECONDS).report

    def close(self) -> None:
        """End the session, and whatever runs in it. Idempotent."""
        if self._forgotten.detach() is not None:
            _end(self._thread, self._session)

    def _record(self, result: CellResult, output: _Output, timeout_s: float) -> CellRecord:
        report = _report(result.answer.text if result.answer else "")
        if report.get("in_file"):
            report = _report(self._thread.run(self._session.read(REPORT_PATH)))
        return CellRecord(result, *output.texts(), _notes(result, timeout_s), report)

    def _stop(self, running: concurrent.futures.Future[CellResult]) -> None:
        """Interrupt a cell and wait for its end; a session that does not obey is ended."""
        with suppress(AgentError):  # closed meanwhile
            self._thread.run(self._interrupt())
        if not concurrent.futures.wait({running}, _STOP_SECONDS).done:
            self.close()

    async def _interrupt(self) -> None:
        self._session.interrupt()


@dataclass(frozen=True, slots=True)
class _Call:
    """A function that a cell has called. Made in the session's loop, served in another thread."""

    name: str
    args: dict[str, Any]
    answer: asyncio.Future[Any] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def serve(self, on_call: OnCall) -> None:
        try:
            value = self._value(on_call)
        except Exception as error:
            self._tell(failure=HostCallFailedError(type(error).__name__, str(error)))
        else:
            self._tell(value)

    def _value(self, on_call: OnCall) -> Any:
        match self.args:
            case {"args": list(args), "kwargs": dict(kwargs)}:
                return on_call(self.name, args, kwargs)
        return _refuse(self.name, [], {})

    def _tell(self, value: Any = None, failure: HostCallFailedError | None = None) -> None:
        def tell() -> None:
            if self.answer.done():
                return  # the cell ended meanwhile
            if failure is None:
                self.answer.set_result(value)
            else:
                self.answer.set_exception(failure)

        self.answer.get_loop().call_soon_threadsafe(tell)


class _Output:
    """What a cell shows, as a whole and in parts, within a limit each."""

    def __init__(self, limit: int) -> None:
        self._shown, self._stdout, self._stderr = (ClippedText(limit) for _ in range(3))

    def write(self, kind: OutputKind, text: str, rich: RichOutput | None = None) -> None:
        self._shown.write(text)
        (self._stderr if kind in ("stderr", "error") else self._stdout).write(text)

    def texts(self) -> tuple[str, str, str]:
        return str(self._shown), str(self._stdout), str(self._stderr)


def _refuse(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    raise NameError(f"the host has no function {name!r}")


def _notes(result: CellResult, timeout_s: float) -> tuple[str, ...]:
    notes = [NO_INPUT] if result.asked_for_input else []
    notes += [TIMED_OUT.format(seconds=timeout_s)] if result.timed_out else []
    match result.state:
        case "rolled_back":
            notes.append(ROLLED_BACK)
        case "lost":
            notes.append(LOST)
        case _ if result.timed_out:
            notes.append(INTERRUPTED)
    return tuple(notes)


def _report(text: str | bytes) -> Mapping[str, Any]:
    try:
        report = json.loads(text)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _end(thread: LoopThread, session: ManagedSession) -> None:
    thread.run(session.close())
    thread.close()


def _end_forgotten(thread: LoopThread, session: ManagedSession) -> None:
    """The collector calls this in any thread: in the session's own it would wait for itself."""
    if threading.current_thread() is threading.main_thread():
        _end(thread, session)
    else:
        threading.Thread(target=_end, args=(thread, session), name=ENDING).start()
