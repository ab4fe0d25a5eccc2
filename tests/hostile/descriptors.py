"""Games with descriptors, and with the line to the session's owner."""

from __future__ import annotations

from tests.hostile.program import Program, endless, heavy, program

FORGE = """
import os
from struct import pack
from rlm_kernel.guest.frames import Frame
from rlm_kernel.guest.events import current_request
line, me = os.open('/dev/owner', os.O_RDWR), current_request.get()
def raw(total, header, rest=b''):
    data = pack('<II', total, header) + rest
    while data:
        data = data[os.write(line, data):]
def text(header):
    raw(4 + len(header), len(header), header)
def forge(kind, request_id, content, *buffers):
    os.write(line, Frame(kind, request_id, content, buffers).encode())
"""


def forged(name: str, expected: str, code: str) -> Program:
    """One that writes to the line itself."""
    return Program(name, expected, FORGE + code)


PROGRAMS = (
    program(
        "standard streams closed",
        "ok",
        "import os\nfor fd in range(3): os.close(fd)\nprint('still here')",
    ),
    program(
        "every descriptor closed",
        "ok | OSError | killed",
        "import os\nos.closerange(0, 1024)\nprint('still here')",
    ),
    endless(
        "nothing where the line to the owner was",
        "ok | OSError | killed | interrupted",
        """
        import os
        null = os.open('/dev/null', os.O_RDWR)
        for fd in range(3, 20):
            os.dup2(null, fd)
        print('who hears this?')
        """,
    ),
    endless(
        "a file where the line to the owner was",
        "ok | OSError | killed | interrupted",
        """
        import os
        mine = os.open('/tmp/mine', os.O_RDWR | os.O_CREAT)
        os.write(mine, b'\\xff' * 5000)
        os.lseek(mine, 0, 0)
        for fd in range(3, 20):
            os.dup2(mine, fd)
        """,
    ),
    program(
        "descriptors that are none",
        "ok",
        """
        import os
        for fd in (-1, -2, 1 << 20, (1 << 31) - 1, -(1 << 31)):
            for call in (os.close, os.dup, os.fstat, os.fsync, os.isatty, os.get_inheritable,
                         lambda n: os.read(n, 1), lambda n: os.dup2(0, n), os.fchdir):
                try:
                    assert not call(fd)
                except (OSError, ValueError):
                    pass
        """,
    ),
    program(
        "wild commands to every descriptor",
        "ok",
        """
        import fcntl, os
        for fd in range(10):
            for command in (0, 1, 2, 3, 4, 5, 8, 9, 10, 12, 13, 14, 1024, 1030, -1, 1 << 30):
                for argument in (0, -1, 4, 1 << 30, b'x' * 100):
                    try:
                        new = fcntl.fcntl(fd, command, argument)
                    except (OSError, OverflowError, ValueError, TypeError):
                        continue
                    if command in (0, 1030) and new > 9:
                        os.close(new)
        """,
    ),
    program(
        "wild controls of the owner's device",
        "ok",
        """
        import fcntl, os
        line = os.open('/dev/owner', os.O_RDWR)
        for request in (0, 1, 2, 0x5401, 0x541b, -1, 0x7fffffff):
            for argument in (0, 1, -1, 0x7fffffff, -0x80000000, b'y' * 64):
                try:
                    fcntl.ioctl(line, request, argument)
                except (OSError, OverflowError, ValueError):
                    pass
        """,
    ),
    program(
        "a thousand timers",
        "ok",
        """
        import fcntl, os, time
        line = os.open('/dev/owner', os.O_RDWR)
        for n in range(1000):
            fcntl.ioctl(line, 1, n % 3)
        time.sleep(0.05)
        """,
    ),
    program(
        "the owner's device as a file",
        "ok",
        """
        import mmap, os
        line = os.open('/dev/owner', os.O_RDWR)
        for call in (lambda: os.lseek(line, 0, 2), lambda: os.ftruncate(line, 0),
                     lambda: os.pread(line, 10, 0), lambda: os.pwrite(line, b'x', 0),
                     lambda: mmap.mmap(line, 4096), lambda: os.listdir(line),
                     lambda: os.fchdir(line)):
            try:
                call()
            except (OSError, ValueError):
                continue
            raise AssertionError
        """,
    ),
    endless(
        "what the owner sends, taken away",
        "interrupted | killed",
        "import os\nline = os.open('/dev/owner', os.O_RDWR)\nwhile True: os.read(line, 1 << 20)",
    ),
    program(
        "wild waits",
        "ok",
        """
        import select
        for fds in ([-1], [0] * 2000, [1 << 20], [5, 5, 5]):
            try:
                select.select(fds, fds, fds, 0)
            except (ValueError, OSError):
                pass
            waiter = select.poll()
            for fd in fds:
                try:
                    waiter.register(fd, -1 & 0xffff)
                except (ValueError, OverflowError):
                    pass
            try:
                waiter.poll(0)
            except OSError:
                pass
        """,
    ),
    endless(
        "a wait without end",
        "interrupted",
        "import select\nselect.select([], [], [])",
    ),
    forged(
        "noise on the line",
        "killed",
        "os.write(line, os.urandom(4096) + bytes(4))\nos.read(line, 1)",
    ),
    forged("a frame of four gigabytes", "killed", "raw(0xffffffff, 10)\nos.read(line, 1)"),
    forged("a header longer than its frame", "killed", "raw(10, 1000)\nos.read(line, 1)"),
    forged("a frame of no length", "killed", "raw(0, 0)\nos.read(line, 1)"),
    forged("a header that is no JSON", "killed", "text(b'[1, 2')\nos.read(line, 1)"),
    forged("a header of deep JSON", "killed", "text(b'[' * 5_000_000)\nos.read(line, 1)"),
    forged(
        "a header with a number of many digits",
        "killed",
        "text(b'[\"stream\", \"\", {\"name\": ' + b'9' * 1_000_000 + b'}, []]')\nos.read(line, 1)",
    ),
    forged(
        "lengths of buffers below zero",
        "killed",
        'text(b\'["x", "", {}, [-1, 1]]\')\nos.read(line, 1)',
    ),
    forged(
        "true as a length", "killed", "text(b'[\"x\", \"\", {}, [true]]' + b'')\nos.read(line, 1)"
    ),
    forged("a kind that is none", "killed", "forge('nonsense', me, {})\nos.read(line, 1)"),
    forged(
        "its own end", "killed", "forge('exited', '', {'reason': ['x'] * 10})\nos.read(line, 1)"
    ),
    forged(
        "half a surrogate pair",
        "ok",
        r"""
header = '["stream", "%s", {"name": "stdout", "text": "\\ud800"}, []]' % me
text(header.encode())
""",
    ),
    forged(
        "numbers that JSON has not",
        "ok | killed",
        r"""
data = '{"data": {"a": NaN, "b": Infinity, "c": 1e999}, "metadata": {}, "transient": {}}'
header = f'["display_data", "{me}", {data}, []]'
text(header.encode())
""",
    ),
    forged(
        "events of other requests",
        "ok",
        "for n in range(200): forge('stream', f'cell-{n}', {'name': 'stdout', 'text': 'not mine'})",
    ),
    forged(
        "an early reply",
        "ok | killed",
        "forge('reply', me, {'status': 'ok', 'execution_count': -(10 ** 30)})\n"
        "import time\ntime.sleep(0.2)",
    ),
    forged(
        "two replies",
        "ok",
        "for n in range(2): forge('reply', me, {'status': 'ok', 'payload': [{'source': 'x'}]})",
    ),
    forged(
        "replies to those who come next",
        "ok | Error",
        "for n in range(100): forge('reply', f'cell-{n}', {'status': 'aborted'})",
    ),
    forged(
        "a name of an error that is a page long",
        "ok | e",
        "forge('error', me, {'ename': 'e' * 100000, 'evalue': '\\x1b[2J', 'traceback': []})",
    ),
    forged(
        "sixty thousand buffers",
        "ok | killed",
        "forge('comm_msg', me, {'comm_id': 'x', 'data': {}, 'metadata': {}}, *[b''] * 60_000)",
    ),
    Program(
        "a flood of comms",
        "ok",
        FORGE + "content = {'comm_id': 'x', 'target_name': 'x', 'data': {}, 'metadata': {}}\n"
        "for n in range(5000): forge('comm_open', me, content)",
        heavy=True,
    ),
    Program(
        "frames of the greatest size",
        "ok | killed | MemoryError",
        FORGE + "data = {'data': {'image/png': 'x' * 7_000_000}, 'metadata': {}, 'transient': {}}\n"
        "for n in range(20): forge('display_data', me, data)",
        heavy=True,
    ),
    Program(
        "half a frame, and no more",
        "interrupted | killed",
        FORGE + "raw(1000, 900, b'x' * 10)\nwhile True: pass",
        seconds=1.0,
        heavy=True,
    ),
    Program(
        "frames from the session's own link after the end of its cell",
        "ok",
        FORGE + "import asyncio\ncontent = {'name': 'stdout', 'text': ''}\n"
        "asyncio.get_event_loop().call_later(0.01, forge, 'stream', 'x', content)",
    ),
    heavy(
        "output a byte at a time",
        "ok",
        "import sys\nfor n in range(50_000):\n    sys.stdout.write('x'); sys.stdout.flush()",
    ),
)
