"""What an escaped session could send its owner: a process of ours that plays a session's part.

The owner is the real `SessionProcess` and `Session`; whatever comes, it must end the process alone,
believe nothing of it about other processes, and answer each request in time.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rlm_kernel.errors import FileError, SandboxError
from rlm_kernel.sandbox import Limits, Session
from rlm_kernel.sandbox.line_sockets import line_sockets
from rlm_kernel.sandbox.process import SessionProcess
from tests.processes import children_of, until_ended

NO_STANDBY = Limits(standby=False, interrupt_grace=0.2)

PRELUDE = """
import os, random, select, socket, sys, time
frames, control = socket.socket(fileno=int(sys.argv[1])), socket.socket(fileno=int(sys.argv[2]))
from rlm_kernel.guest.frames import Frame, FrameDecoder
decoder = FrameDecoder()
def asked():
    while True:
        yield from decoder.feed(frames.recv(1 << 20) or sys.exit())
def say(kind, request_id, content, *buffers):
    frames.sendall(Frame(kind, request_id, content, buffers).encode())
"""


class FakeSource:
    """Where the session gets its processes from: each runs the same program."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._started: list[subprocess.Popen[bytes]] = []

    async def fork(self) -> SessionProcess:
        with line_sockets() as (ours, theirs):
            fds = [theirs.frames.fileno(), theirs.control.fileno()]
            command = [sys.executable, "-c", PRELUDE + self._program, *map(str, fds)]
            started = subprocess.Popen(command, pass_fds=fds)  # noqa: ASYNC220
            self._started.append(started)
            return await SessionProcess.connect(started.pid, ours)

    def track(self, process: SessionProcess) -> None:
        """Its end is waited for below."""

    def close(self) -> None:
        for started in self._started:
            started.kill()
            started.wait()


@asynccontextmanager
async def fake(program: str, limits: Limits = NO_STANDBY) -> AsyncIterator[Session]:
    """A session whose process is this program."""
    source = FakeSource(program)
    session = Session(source, limits, await source.fork())
    try:
        yield session
    finally:
        await session.close()
        source.close()


async def ask(session: Session, seconds: float = 2) -> str:
    """What became of a request, whose time is limited."""
    content = {"code": "1"}
    reply = await session.request("execute_request", content, request_id="r", timeout=seconds)
    return str(reply.content.get("ename", reply.content["status"]))


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


NOISE = """
random.seed(SEED)
request = next(asked())
def word():
    return random.choice([0, 1, 4, 8, 64, 255, 1 << 16, 1 << 23, 1 << 26, 1 << 31, (1 << 32) - 1])
while True:
    pieces = [
        os.urandom(random.randrange(1, 200)),
        word().to_bytes(4, 'little') + word().to_bytes(4, 'little'),
        Frame(random.choice(['reply', 'stream', 'file_reply', 'error', 'x']),
              random.choice([request.request_id, '', 'r' * 999]),
              {random.choice(['status', 'name', 'text', 'data', 'size', 'traceback']): value
               for value in random.choices([None, True, -1, 1 << 80, 'x', [], {}, [[]]], k=3)},
              random.choice([(), (b'',), (b'x' * 99,) * 9])).encode(),
    ]
    frames.sendall(random.choice(pieces))
"""


@pytest.mark.parametrize("seed", range(12))
async def test_noise_ends_its_process_and_nothing_else(seed: int) -> None:
    async with fake(NOISE.replace("SEED", str(seed))) as session:
        assert await ask(session) in {"SessionDied", "ok", "x"}


async def test_a_copy_is_the_process_that_says_so_and_no_other() -> None:
    victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # noqa: ASYNC220
    program = f"""
_, (copy_frames, copy_control), _, _ = socket.recv_fds(control, 100, 2)
socket.socket(fileno=copy_control).send(b'{victim.pid}')
time.sleep(60)
"""
    try:
        async with fake(program) as session:
            process = session._incarnation.process
            copy = await process.copy()
            assert copy.pid == process.pid
            copy.kill("the test is over")
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()
        assert victim.stdin is not None
        victim.stdin.close()


@pytest.mark.parametrize(
    "answer",
    ["pass", "socket.socket(fileno=fds[1]).send(b'')", "[os.close(fd) for fd in fds]"],
)
async def test_a_copy_that_never_comes_is_not_waited_for(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlm_kernel.sandbox.process.COPY_PATIENCE", 0.3)
    program = f"_, fds, _, _ = socket.recv_fds(control, 100, 2)\n{answer}\ntime.sleep(60)"
    async with fake(program) as session:
        with pytest.raises(SandboxError, match="could not be copied"):
            await session.fork()
        assert await ask(session) == "SessionDied"


async def test_a_standby_that_never_comes_holds_up_no_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rlm_kernel.sandbox.process.COPY_PATIENCE", 0.3)
    program = """
for request in asked():
    if request.kind == 'execute_request':
        say('reply', request.request_id, {'status': 'ok'})
"""
    async with fake(program, Limits(interrupt_grace=0.2)) as session:
        for _ in range(3):
            assert await ask(session, 60) == "ok"
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "content",
    [
        "{'size': 1 << 62}, b'x' * 1000",
        "{'size': -1}, b''",
        "{'size': True}, b''",
        "{'size': 10}, b'x' * (5 << 20)",
        "{'size': 10}",
        "{'size': 10}, b'', b''",
        "{'size': []}, b''",
        "{'size': 1, 'version': 'a\\r\\nSet-Cookie: x', 'modified': 1}, b''",
        "{'size': 1, 'version': '1', 'modified': -1}, b''",
        "{'size': 1, 'version': 1, 'modified': 1}, b''",
    ],
)
async def test_an_answer_about_a_file_that_makes_no_sense_is_an_error(content: str) -> None:
    program = f"for request in asked(): say('file_reply', request.request_id, {content})"
    async with fake(program) as session:
        with pytest.raises(FileError, match="wrong form"):
            await session.get_file("x")


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "{'entries': {}, 'next': 0}",
        "{'entries': [], 'next': -1}",
        "{'entries': [], 'next': 1 << 60}",
        "{'entries': [ENTRY] * 1001, 'next': 0}",
        "{'entries': [[]], 'next': 0}",
        "{'entries': [['a/b', *ENTRY[1:]]], 'next': 0}",
        "{'entries': [['..', *ENTRY[1:]]], 'next': 0}",
        "{'entries': [['\\ud800', *ENTRY[1:]]], 'next': 0}",
        "{'entries': [['x' * 256, *ENTRY[1:]]], 'next': 0}",
        "{'entries': [['a', ['file'], *ENTRY[2:]]], 'next': 0}",
        "{'entries': [['a', 'fifo', *ENTRY[2:]]], 'next': 0}",
        "{'entries': [['a', 'file', 1 << 40, *ENTRY[3:]]], 'next': 0}",
        "{'entries': [['a', 'file', 1, 1 << 20, *ENTRY[4:]]], 'next': 0}",
        "{'entries': [[*ENTRY[:4], 1 << 64, '']], 'next': 0}",
        "{'entries': [[*ENTRY[:5], 'x' * 5000]], 'next': 0}",
    ],
)
async def test_a_listing_that_makes_no_sense_is_an_error(content: str) -> None:
    program = (
        "ENTRY = ['a', 'file', 1, 0o644, 1, '']\n"
        f"for request in asked(): say('file_reply', request.request_id, {content})"
    )
    async with fake(program) as session:
        with pytest.raises(FileError, match="wrong form"):
            await session.list_files("x")


async def test_a_file_without_end_ends_where_it_said() -> None:
    program = (
        "told = {'size': 5000, 'version': '1', 'modified': 1}\n"
        "for r in asked(): say('file_reply', r.request_id, told, b'x' * 1000)"
    )
    async with fake(program) as session:
        assert len(await session.get_file("x")) == 5000


async def test_a_file_that_is_never_served_holds_up_no_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rlm_kernel.sandbox.session.FILE_PATIENCE", 0.3)
    async with fake("time.sleep(60)") as session:
        with pytest.raises(FileError, match="busy"):
            await session.get_file("x")
        assert await ask(session) == "SessionDied"


async def test_descriptors_that_a_session_sends_stay_outside() -> None:
    program = """
request = next(asked())
nothing = Frame('stream', 'r', {'name': 'stdout', 'text': ''}).encode()
for _ in range(100):
    socket.send_fds(frames, [nothing], [0] * 10)
say('reply', request.request_id, {'status': 'ok'})
time.sleep(60)
"""
    async with fake(program) as session:
        before = open_descriptors()
        assert await ask(session, 60) == "ok"
        assert open_descriptors() < before + 100  # of the thousand that were sent


async def test_a_session_that_lets_go_of_its_line_is_ended() -> None:
    async with fake("frames.close(); control.close(); time.sleep(60)") as session:
        process = session._incarnation.process
        await process.ended
        assert await ask(session) == "SessionDied"


async def test_what_a_session_says_of_its_end_is_its_end_and_is_short() -> None:
    program = "next(asked()); say('exited', '', {'reason': ['y' * 1000] * 1000}); time.sleep(60)"
    async with fake(program) as session:
        reply = await session.request("execute_request", {}, request_id="r", timeout=30)
        assert reply.content["ename"] == "SessionDied"
        assert not reply.timed_out
        assert len(reply.content["evalue"]) < 500


async def test_what_it_forked_ends_with_the_session() -> None:
    program = (
        "os.setsid()\nif os.fork() == 0:\n    os.closerange(3, 64)\n    time.sleep(600)\n"
        "next(asked())\nsay('reply', 'r', {'status': 'ok'})\ntime.sleep(600)"
    )
    async with fake(program) as session:
        await session.request("execute_request", {"code": ""}, request_id="r")
        forked = children_of(session.pid)
        assert len(forked) == 1
    await until_ended(forked)
