"""The public class: one sandboxed Python, without a server and without an event loop."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Self

from rlm_kernel.errors import SandboxClosed
from rlm_kernel.sandbox.answerer import Answer, Answerer
from rlm_kernel.sandbox.capture import Capture, ExecutionResult
from rlm_kernel.sandbox.events import Event, Reply
from rlm_kernel.sandbox.limits import Limits
from rlm_kernel.sandbox.loop_thread import LoopThread
from rlm_kernel.sandbox.rotation import ZygoteRotation
from rlm_kernel.sandbox.session import Session
from rlm_kernel.sandbox.zygote import Zygote


class Sandbox:
    """A fresh Python in a process of its own; use it as a context manager, or call `close`.

        with Sandbox() as box:
            box.execute("x = 6 * 7")
            print(box.execute("x").result)  # 42

    `preload` are packages to start with: requirements (`"pydantic==2.*"`) or paths of wheels. The
    first sandbox with given limits and packages boots a zygote, which takes seconds, or a minute
    where Pyodide must be fetched and compiled; later ones take milliseconds. Zygotes end with the
    program; one that is forked from it boots its own. One thread at a time may execute;
    `interrupt` is for the others.
    """

    def __init__(self, limits: Limits | None = None, *, preload: Sequence[str] = ()) -> None:
        self._host = _shared_host()
        self._numbers = itertools.count(1)
        self._session: Session | None = self._host.spawn(limits or Limits(), tuple(preload))

    @property
    def pid(self) -> int:
        """The process that the code runs in."""
        return self._living().pid

    def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        on_input: Answer | None = None,
    ) -> ExecutionResult:
        """Runs code and waits for its end.

        After `timeout` seconds the code is interrupted, and killed if it goes on; `state` of the
        result says whether the variables are still there. `on_event` is called with each event
        as it happens, and `on_input` answers `input()`, both in a thread of the sandbox's.
        A KeyboardInterrupt of the caller interrupts the code, and so does an exception of
        `on_event` or `on_input`, which is raised here. SandboxError when called by `on_event`.
        """
        failures: list[BaseException] = []
        execution = self._execute(code, timeout, on_event, on_input, failures)
        running = self._host.loop.submit(execution)
        try:
            result = running.result()
        except KeyboardInterrupt:
            self.interrupt()
            _finish(running)
            raise
        if failures:  # not raised on the loop, which a SystemExit would end
            raise failures[0]
        return result

    async def _execute(
        self,
        code: str,
        timeout: float | None,
        on_event: Callable[[Event], None] | None,
        on_input: Answer | None,
        failures: list[BaseException],
    ) -> ExecutionResult:
        session, capture = self._living(), Capture()

        def fail(error: BaseException) -> None:
            failures.append(error)
            session.interrupt()

        listeners: list[Callable[[Event], None]] = [capture]
        if on_event is not None:
            listeners.append(on_event)
        if on_input is not None:
            answerer = Answerer(self._host.loop, session, on_input, fail)
            listeners.append(lambda e: answerer(e) if e.kind == "input_request" else None)

        def take(event: Event) -> None:
            try:
                for listener in listeners:
                    listener(event)
            except BaseException as error:
                fail(error)

        session.on_event = take
        content = {"code": code, "allow_stdin": on_input is not None}
        started = time.perf_counter()
        request_id = f"cell-{next(self._numbers)}"
        reply: Reply = await session.request(
            "execute_request", content, request_id=request_id, timeout=timeout
        )
        return capture.result(reply, (time.perf_counter() - started) * 1000)

    def interrupt(self) -> None:
        """KeyboardInterrupt in the running code; callable from any thread."""
        self._host.loop.call_soon(self._living().interrupt)

    def put_file(self, path: str, data: bytes) -> None:
        """Writes a file of the sandbox; relative paths start at its home. Raises FileError."""
        self._host.loop.run(self._living().put_file(path, data))

    def get_file(self, path: str) -> bytes:
        """The bytes of a file of the sandbox. Raises FileError."""
        return self._host.loop.run(self._living().get_file(path))

    def fork(self) -> Self:
        """A live copy: variables, files, loaded modules and waiting tasks, from now on its own."""
        copy = object.__new__(type(self))
        copy._host = self._host
        copy._numbers = itertools.count(1)
        copy._session = self._host.loop.run(self._living().fork())
        return copy

    def close(self) -> None:
        """Ends the sandbox and its process. Idempotent; a forked program leaves it alone."""
        session, self._session = self._session, None
        if session is not None and not self._host.loop.is_inherited:
            self._host.loop.run(session.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _living(self) -> Session:
        if self._session is None:
            raise SandboxClosed("the sandbox is closed")
        return self._session


class _Host:
    """The loop and the zygotes that all sandboxes of a program share."""

    def __init__(self) -> None:
        self.loop = LoopThread()
        self._zygotes: dict[tuple[Limits, tuple[str, ...]], ZygoteRotation] = {}
        self._lock = threading.Lock()
        atexit.register(self.close)

    def spawn(self, limits: Limits, preload: tuple[str, ...]) -> Session:
        with self._lock:
            zygote = self._zygotes.get((limits, preload))
            if zygote is None:
                start = partial(Zygote.start, limits, preload=preload)
                zygote = self.loop.run(ZygoteRotation.begin(start))
                self._zygotes[limits, preload] = zygote
        return self.loop.run(zygote.spawn())

    def close(self) -> None:
        if self.loop.is_inherited:
            return
        for zygote in self._zygotes.values():
            self.loop.run(zygote.close())
        self.loop.close()


_host: _Host | None = None
_host_lock = threading.Lock()


def _shared_host() -> _Host:
    global _host
    with _host_lock:
        if _host is None:
            _host = _Host()
        return _host


def _forget_host() -> None:
    """A forked program has neither the thread of the loop nor whoever holds the lock."""
    global _host, _host_lock
    _host, _host_lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_host)


def _finish(running: Future[ExecutionResult]) -> None:
    """Waits for an interrupted execution; a second KeyboardInterrupt ends the wait."""
    with contextlib.suppress(Exception):
        running.result()
