"""Measures the sandbox: start, creation, cells, interrupts, forks, files, memory per session.

All of it through the public class, on its own thread; what a session does is counted until the
caller has it. Standbys are off unless a line says otherwise.

python -m benchmarks.sandbox [--quick]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

from benchmarks.memory import MB, bytes_of_descendants, private_bytes
from benchmarks.report import single, spread
from rlm_kernel.sandbox import Event, Limits, Sandbox

PLAIN = Limits(standby=False)
WITH_STANDBY = Limits(standby=True)
PAUSE_SECONDS = 0.03
"""Longer than it takes until a session that fell idle has its standby."""

FILE_OPERATIONS = {
    "open and close": "os.close(os.open('/tmp/file', os.O_RDONLY))",
    "stat": "os.stat('/tmp/file')",
    "read 4 KiB": "os.pread(file, 4096, 0)",
    "write 4 KiB": "os.pwrite(file, block, 0)",
    "seek": "os.lseek(file, 0, os.SEEK_SET)",
    "list a folder of 10": "os.listdir('/tmp/folder')",
}
FILE_PROGRAM = """
import json, os, timeit
os.makedirs('/tmp/folder', exist_ok=True)
for number in range(10):
    open(f'/tmp/folder/{number}', 'w').close()
block = bytes(4096)
file = os.open('/tmp/file', os.O_RDWR | os.O_CREAT)
os.write(file, block)
def microseconds(statement):
    rounds = timeit.repeat(statement, globals=globals(), number=200, repeat=ROUNDS)
    return [seconds / 200 * 1e6 for seconds in rounds]
loop = min(microseconds('pass'))
for statement in STATEMENTS:
    print(json.dumps([each - loop for each in microseconds(statement)]))
"""


def milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def creation(count: int) -> list[Sandbox]:
    boxes: list[Sandbox] = []
    with_pauses: list[float] = []
    in_a_row: list[float] = []
    for times, pause in ((with_pauses, PAUSE_SECONDS), (in_a_row, 0.0)):
        for _ in range(count):
            time.sleep(pause)
            times.append(milliseconds(lambda: boxes.append(Sandbox(PLAIN))))
    spread("create a session", with_pauses, "ms")
    spread("create one right after another", in_a_row, "ms")
    return boxes


def cells(box: Sandbox, count: int) -> None:
    for code in ("x = 1", "print(1)", "import asyncio; await asyncio.sleep(0)"):
        spread(code, [milliseconds(lambda: box.execute(code)) for _ in range(count)], "ms")  # noqa: B023


def interrupts(box: Sandbox, count: int) -> None:
    """From the interrupt to the result, the rendered traceback included."""
    sent = 0.0

    def interrupt(event: Event) -> None:
        nonlocal sent
        if event.kind == "stream":
            sent = time.perf_counter()
            box.interrupt()

    times = []
    for _ in range(count):
        box.execute("print('running')\nwhile True: pass", on_event=interrupt)
        times.append((time.perf_counter() - sent) * 1e3)
    spread("interrupt a loop, to the result", times, "ms")


def forks_and_ends(boxes: list[Sandbox], count: int) -> None:
    original = boxes[0]
    times = []
    for _ in range(count):
        time.sleep(PAUSE_SECONDS)
        times.append(milliseconds(lambda: boxes.append(original.fork())))
    spread("fork a live session", times, "ms")
    spread("close a session", [milliseconds(box.close) for box in boxes], "ms")


def file_operations(box: Sandbox, rounds: int) -> None:
    given = f"ROUNDS = {rounds}\nSTATEMENTS = {list(FILE_OPERATIONS.values())!r}\n"
    lines = box.execute(given + FILE_PROGRAM).stdout.splitlines()
    for name, line in zip(FILE_OPERATIONS, lines, strict=True):
        spread(f"file: {name}", json.loads(line), "us")


def standbys(count: int) -> None:
    """What sessions take of the machine in all, and a cell that comes once the standby is made."""
    for limits, name in ((PLAIN, "without a standby"), (WITH_STANDBY, "with a standby")):
        with Sandbox(limits) as first:
            first.execute("x = 1")
            empty = bytes_of_descendants()
            boxes = [Sandbox(limits) for _ in range(count)]
            for box in boxes:
                box.execute("x = 1")
            time.sleep(1)
            single(f"memory {name}", (bytes_of_descendants() - empty) / count / MB, "MB")
            times = []
            for box in boxes:
                time.sleep(PAUSE_SECONDS)
                times.append(milliseconds(lambda: box.execute("x = 1")))  # noqa: B023
            spread(f"x = 1 after a pause, {name}", times, "ms")
            for box in boxes:
                box.close()


def measure(count: int) -> None:
    single("zygote, start to first session", milliseconds(lambda: Sandbox(PLAIN).close()), "ms")
    boxes = creation(count)
    spread("its first cell, x = 1", [milliseconds(lambda: b.execute("x = 1")) for b in boxes], "ms")  # noqa: B023
    private = statistics.median(private_bytes(box.pid) for box in boxes)
    single("private memory of an idle session", private / MB, "MB")
    cells(boxes[0], 4 * count)
    interrupts(boxes[0], count)
    file_operations(boxes[0], count)
    forks_and_ends(boxes, count)
    standbys(count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that it works")
    measure(2 if parser.parse_args().quick else 50)


if __name__ == "__main__":
    main()
