"""One session: requests in order, time limits, and a new process when the old one is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rlm_kernel.errors import FileError, ForkFailed, SandboxError
from rlm_kernel.guest.frames import Frame, FrameError
from rlm_kernel.sandbox.events import Event, Reply, State, is_event, is_reply
from rlm_kernel.sandbox.file_answers import FilePage, FilePiece, shown
from rlm_kernel.sandbox.file_transfer import FileTransfer, Upload
from rlm_kernel.sandbox.incarnation import Incarnation, ProcessSource
from rlm_kernel.sandbox.limits import Limits
from rlm_kernel.sandbox.obituary import LOST, death, explained, way_back
from rlm_kernel.sandbox.observer import Observer
from rlm_kernel.sandbox.output_meter import OutputMeter
from rlm_kernel.sandbox.process import SessionProcess
from rlm_kernel.sandbox.prompt import Prompt
from rlm_kernel.sandbox.question import OpenQuestion
from rlm_kernel.sandbox.time_limit import TimeLimit, ran_longer_than

log = logging.getLogger(__name__)

STANDBY_DELAY = 0.01
"""Seconds a session stands idle before it is copied: cells in quick succession pay nothing."""

SHOWN_KIND = 80

FILE_CHANGES = frozenset({"put_file", "remove_file"})

LEAVE_PATIENCE = 5
"""How many times the grace of an interrupt a copy that was made within a cell has to end it: many
may be made at once."""

FILE_PATIENCE = 10.0
"""Seconds that a session between cells has to serve a piece of a file. One that is busy with a task
of its own which never ends must not hold up all that its owner asks after it."""


class Session:
    """A Python session in a process of its own. It belongs to one event loop.

    `on_event` is called on the loop with each event, before the reply of its request; what it
    raises is logged. When the process dies, the running request is answered with what became of
    the variables, and the next one runs in a copy from before, or in a fresh process.
    """

    def __init__(self, source: ProcessSource, limits: Limits, process: SessionProcess) -> None:
        self.on_event: Callable[[Event], None] | None = None
        self._limits = limits
        self._observer = Observer()
        self._incarnation = Incarnation(source, process)
        self._files = FileTransfer(self._exchange)
        self._meter = OutputMeter(limits)
        self._prompt = Prompt()
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._copying = asyncio.Lock()
        self._generation = 0
        self._running: str | None = None
        self._interrupted = False
        self._waiting: dict[str, bool] = {}  # requests in order, and whether they were interrupted
        self._heard = True
        self._answer: tuple[str, str, asyncio.Future[Frame]] | None = None
        self._question = OpenQuestion(
            self._meter, lambda frame: self._incarnation.process.send(frame), self.interrupt
        )
        self._standby_due: asyncio.TimerHandle | None = None
        self._unsaved = False  # whether a file was put that no standby has
        self._background: set[asyncio.Task[Any]] = set()
        process.on_frame = self._take  # a copy's tasks may speak before it is asked anything

    @property
    def pid(self) -> int:
        """The process that the session runs in now."""
        return self._incarnation.process.pid

    def observe(self, observer: Observer) -> None:
        """Has `observer` be told of what the session goes through from now on."""
        self._observer = self._incarnation.observer = observer

    @property
    def lives(self) -> bool:
        """Whether that process runs; where it does not, the next request begins another."""
        return self._incarnation.is_living

    @property
    def has_standby(self) -> bool:
        """Whether a cell that is killed now would cost itself and no more."""
        return self._incarnation.standby.knows_all

    async def request(
        self,
        kind: str,
        content: dict[str, Any],
        *,
        request_id: str,
        timeout: float | None = None,
        buffers: Sequence[bytes] = (),
    ) -> Reply:
        """Sends a request of the Jupyter protocol and waits for its reply.

        Requests are answered one at a time, in the order made. After `timeout` seconds, or those of
        the limits, the code is interrupted, and killed when it goes on; so is code whose request
        is cancelled. Where the process was lost since the last cell, the reply's state says so, and
        so do those of other requests until a cell has.
        Raises SandboxClosed, and ZygoteError when a fresh process was needed and could not be had.
        """
        frame = Frame(kind, request_id, content, tuple(buffers))
        generation = self._generation
        self._waiting[request_id] = False
        try:
            await self._turn.acquire()
        finally:
            interrupted = self._waiting.pop(request_id, False)
        if generation != self._generation:
            self._turn.release()
            reason = "the session was restarted before this ran"
            return Reply(death(reason, LOST), "lost")
        self._running, self._heard, self._interrupted = request_id, True, interrupted
        self._meter.begin()
        reply: asyncio.Future[Reply] = self._loop.create_future()
        request = self._start(self._run(frame, timeout, self._ask_at_once(frame), reply))
        try:
            return await reply
        except asyncio.CancelledError:
            if not request.done():
                self._heard = False
                self._start(self._put_down(request_id, request, "its request was given up"))
            raise

    def _ask_at_once(self, frame: Frame) -> asyncio.Future[Frame] | None:
        """Has the process begin before its owner does anything else; None where it cannot yet."""
        incarnation = self._incarnation
        if not incarnation.is_living or self._unsaved:
            return None
        frame, begun = self._prompt.announce(incarnation.process, frame)
        answer = self._begin(incarnation.process, frame)
        if begun is not None and not answer.done():
            self._pass_on(begun)
        return answer

    def _begin(self, process: SessionProcess, frame: Frame) -> asyncio.Future[Frame]:
        """Sends a request, and the interrupt that came before it could be sent.

        One that comes from here on is sent when it comes, and must not be sent twice: the second
        would end what the code does about the first.
        """
        answer = self._ask(process, frame, "reply")
        if self._interrupted:
            process.interrupt(frame.request_id)
        return answer

    async def _run(
        self,
        frame: Frame,
        timeout: float | None,
        answer: asyncio.Future[Frame] | None,
        reply: asyncio.Future[Reply],
    ) -> None:
        """Sees a request to its end, whether or not anyone waits for the reply; ends its turn."""
        try:
            if answer is None:
                await self._save()
                answer = self._begin(await self._incarnation.living(), frame)
            outcome = await self._supervise(frame, timeout, answer)
            if not reply.done():
                reply.set_result(outcome)
        except Exception as error:
            if not reply.done():
                reply.set_exception(error)
        finally:
            self._running = None
            self._question.close()
            self._incarnation.standby.miss_request(frame.kind)
            self._turn.release()
            self._renew_standby_soon()

    async def _save(self) -> None:
        """Has a standby know a file that was said to be there, before what may end the process."""
        unsaved, self._unsaved = self._unsaved, False
        if unsaved and self._limits.standby:
            with contextlib.suppress(OSError):  # it stands not still, or has ended
                await self._incarnation.renew_standby()

    async def _supervise(
        self, frame: Frame, timeout: float | None, answer: asyncio.Future[Frame]
    ) -> Reply:
        process, limits = self._incarnation.process, self._limits
        seconds = limits.cell_timeout if timeout is None else timeout
        stop = partial(self._stop, frame, timeout, answer)
        time_limit = TimeLimit(process.pid, seconds, limits.cpu_seconds, stop)
        try:
            with time_limit:
                content = (await answer).content
            self._prompt.note(process, content)
        except _ProcessEndedError as end:
            return await self._outlive(frame.kind, end, time_limit.exceeded)
        if time_limit.exceeded:
            content = explained(content, time_limit.exceeded)
        return Reply(
            content, self._tell(frame.kind), bool(time_limit.exceeded), time_limit.exceeded
        )

    async def _outlive(self, kind: str, end: _ProcessEndedError, overrun: str) -> Reply:
        """What a request is answered whose process ended."""
        back = way_back(self._incarnation.standby, kind)
        await self._incarnation.fall_back()
        state = self._tell(kind)
        content = death(str(end), LOST if state == "lost" else back)
        return Reply(content, state, bool(overrun), overrun)

    def _stop(
        self, frame: Frame, timeout: float | None, answer: asyncio.Future[Frame], overrun: str
    ) -> None:
        """Ends a request that is over a limit."""
        if timeout is None or overrun != ran_longer_than(timeout):
            self._tell_limit(frame, overrun)
        reason = f"it {overrun} and ignored the interrupt"
        self._start(self._put_down(frame.request_id, answer, reason))

    def _tell_limit(self, frame: Frame, overrun: str) -> None:
        """Shows a cell a limit that whoever sent it may not know of."""
        if frame.kind == "execute_request":
            text = f"rlm-kernel: this cell {overrun} and is interrupted\n"
            self._pass_on(Event("stream", frame.request_id, {"name": "stderr", "text": text}))

    def _tell(self, kind: str) -> State:
        """What became of the variables; told again until a cell tells it to somebody who hears."""
        is_told = self._heard and kind == "execute_request"
        return self._incarnation.tell() if is_told else self._incarnation.untold

    async def _put_down(self, request_id: str, outcome: asyncio.Future[Any], reason: str) -> None:
        """Interrupts a request, and kills its process where it has no outcome soon after."""
        process = self._incarnation.process
        process.interrupt(request_id)
        if not await _within(outcome, self._limits.interrupt_grace):
            process.kill(reason)

    def interrupt(self, request_id: str | None = None) -> None:
        """KeyboardInterrupt in the running cell, or else in the first that waits, if any.

        With an id only in the cell of this request, if it runs or waits.
        """
        target = request_id or self._running or next(iter(self._waiting), None)
        if target is None:
            return
        if target == self._running:
            self._interrupted = True
            self._incarnation.process.interrupt(target)
        elif target in self._waiting:
            self._waiting[target] = True

    @property
    def waits_for_answer(self) -> bool:
        """Whether the running cell waits for the answer to a question."""
        return self._question.request_id is not None

    def answer_input(self, value: str, question: object = None) -> None:
        """Answers the open question of the running cell.

        `question`, from the content of the `input_request`, tells it from an earlier one, whose
        answer is dropped. An answer that is too large to be sent is refused.
        """
        self._question.answer(value, question)

    def refuse_input(self, error: dict[str, str], question: object = None) -> None:
        """Has the open question of the running cell fail.

        A host call raises `error`, its `ename` and `evalue`; `input()` can only be interrupted.
        """
        self._question.refuse(error, question)

    async def put_file(self, path: str, data: bytes) -> None:
        """Writes a file of the session, its folders made; relative paths start at its home.

        It is there whole, or not at all. Waits for the running cell. Raises FileError.
        """
        await self._files.put(path, data)

    def upload(self, path: str) -> Upload:
        """A file of the session that comes in pieces; it is there whole, or not at all."""
        return self._files.upload(path)

    async def get_file(self, path: str) -> bytes:
        """The bytes of a file of the session. Waits for the running cell. Raises FileError."""
        return await self._files.get(path)

    async def read_file(self, path: str, offset: int, length: int) -> FilePiece:
        """Some bytes of a file, at most those of one piece. Raises FileError."""
        return await self._files.read(path, offset, length)

    async def list_files(self, path: str, cursor: int = 0) -> FilePage:
        """Some entries of a folder. Raises FileError."""
        return await self._files.list(path, cursor)

    async def remove_file(self, path: str) -> None:
        """Removes a file, a link, or a folder with all that is in it. Raises FileError."""
        await self._files.remove(path)

    async def make_folder(self, path: str) -> None:
        """Makes a folder, and those that it is in, unless they are there. Raises FileError."""
        await self._files.make_folder(path)

    async def make_link(self, path: str, target: str) -> None:
        """Makes a symbolic link, in place of a file or link. Raises FileError."""
        await self._files.make_link(path, target)

    async def _exchange(self, kind: str, content: dict[str, Any], data: bytes) -> Frame:
        async with self._turn:
            process = await self._incarnation.living()
            # The guest never sees this id, so its code cannot write the answer.
            frame = Frame(kind, secrets.token_hex(), content, (data,))
            if kind in FILE_CHANGES:
                self._incarnation.standby.miss_file()
                self._unsaved = True
            path = shown(content["path"])
            try:
                return await asyncio.wait_for(
                    self._ask(process, frame, "file_reply"), FILE_PATIENCE
                )
            except TimeoutError:
                raise FileError(f"{path}: the session is busy between cells") from None
            except _ProcessEndedError as end:
                raise FileError(f"{path}: the session is gone: {end}") from None
            finally:
                self._renew_standby_soon()

    async def restart(self) -> None:
        """A fresh process: variables and files are gone. What runs or waits is answered `lost`."""
        self._generation += 1
        await self._incarnation.end("the session was restarted")
        async with self._turn:
            await self._incarnation.living()
            self._incarnation.tell()

    async def fork(self, *, mid_cell: bool = False) -> Session:
        """A live copy: variables, files, loaded modules and waiting tasks, from now on its own.

        Waits for the running cell. With `mid_cell` it does not where the cell waits for an answer:
        the copy is made there, and in it the cell is interrupted at its question, so that nothing
        of it runs twice. What became of the variables and nobody has been told yet, both tell.
        Raises ForkFailed when it could not be made.
        """
        asked_by = self._question.request_id if mid_cell else None
        if asked_by is not None:
            async with self._copying:
                session = await self._copied()
            await session._leave_cell(asked_by)
            return session
        async with self._turn:
            await self._incarnation.living()
            session = await self._copied()
        session._incarnation.process.wake()
        return session

    async def _copied(self) -> Session:
        """A copy whose process is frozen."""
        try:
            copy = await self._incarnation.copy()
        except OSError as error:
            reason = str(error) or "its code does not stand still"
            raise ForkFailed(f"the session could not be copied: {reason}") from error
        session = Session(self._incarnation.source, self._limits, copy)
        session._incarnation.untold = self._incarnation.untold
        copy.drop_uploads()
        return session

    async def _leave_cell(self, request_id: str) -> None:
        """Wakes a copy that was made within a cell, and ends the cell there; nobody hears of it."""
        async with self._turn:
            process = self._incarnation.process
            ended = self._expect(process, request_id, "reply")
            process.wake()
            process.interrupt(request_id)
            try:
                async with asyncio.timeout(LEAVE_PATIENCE * self._limits.interrupt_grace):
                    await ended
            except (TimeoutError, _ProcessEndedError) as error:
                await self.close()
                reason = "its cell ignores the interrupt"
                raise ForkFailed(f"the session could not be copied: {reason}") from error
            except BaseException:
                await self.close()
                raise
        self._renew_standby_soon()

    async def close(self) -> None:
        """Ends the session and its processes. Idempotent."""
        if self._standby_due is not None:
            self._standby_due.cancel()
        await self._incarnation.close()
        if self._background:
            await asyncio.wait(self._background)
        await self._incarnation.close()  # with a standby that was being made

    def _ask(self, process: SessionProcess, frame: Frame, kind: str) -> asyncio.Future[Frame]:
        """Sends a frame; the future has its answer, or the end of the process."""
        answer = self._expect(process, frame.request_id, kind)
        try:
            process.send(frame)
        except FrameError as error:
            answer.set_exception(SandboxError(f"the request cannot be sent: {error}"))
        return answer

    def _expect(self, process: SessionProcess, request_id: str, kind: str) -> asyncio.Future[Frame]:
        """The future has the answer to this request, or the end of the process."""
        answer: asyncio.Future[Frame] = self._loop.create_future()
        self._answer = (request_id, kind, answer)
        process.on_frame = self._take
        fail = partial(_fail, answer)
        process.ended.add_done_callback(fail)
        answer.add_done_callback(lambda _: process.ended.remove_done_callback(fail))
        return answer

    def _take(self, frame: Frame) -> None:
        if is_event(frame.kind, frame.content):
            self._observer.sent(frame.wire_bytes)
            event = Event(frame.kind, frame.request_id, frame.content, frame.buffers)
            for admitted in self._meter.admit(event, frame.weight):
                self._pass_on(admitted)
            if self._meter.exceeded:
                self._incarnation.process.slow_down()
        elif frame.kind == "file_reply" or (frame.kind == "reply" and is_reply(frame.content)):
            if self._answer is not None:
                request_id, kind, answer = self._answer
                if (frame.request_id, frame.kind) == (request_id, kind) and not answer.done():
                    answer.set_result(frame)
        else:
            reason = f"it sent {frame.kind[:SHOWN_KIND]!r} in a form that no session has"
            self._incarnation.process.kill(reason, "protocol")

    def _pass_on(self, event: Event) -> None:
        if event.kind == "input_request":
            if event.request_id != self._running:
                return
            self._question.ask(event)
        if self.on_event is not None:
            try:
                self.on_event(event)
            except Exception:
                log.exception("whoever listens to a session failed")

    def _renew_standby_soon(self) -> None:
        """Copies the session once it has been idle for a moment, so that no cell waits for it."""
        if self._standby_due is not None:
            self._standby_due.cancel()
        if self._limits.standby:
            self._standby_due = self._loop.call_later(STANDBY_DELAY, self._renew_standby)

    def _renew_standby(self) -> None:
        if not self._turn.locked():  # else what runs now will see to it
            self._start(self._renewed_standby())

    async def _renewed_standby(self) -> None:
        async with self._turn:
            with contextlib.suppress(OSError):  # it ended meanwhile: the old copy is as good
                await self._incarnation.renew_standby()

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = self._loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


class _ProcessEndedError(Exception):
    """The process ended before it answered."""


def _fail(answer: asyncio.Future[Frame], ended: asyncio.Future[str]) -> None:
    if not answer.done():
        answer.set_exception(_ProcessEndedError(ended.result()))


async def _within(outcome: asyncio.Future[Any], timeout: float | None) -> bool:
    done, _ = await asyncio.wait({outcome}, timeout=timeout)
    return bool(done)
