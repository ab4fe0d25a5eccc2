"""Measures the sandbox: start, creation, cells, interrupts, forks, private memory per session.

Without standbys, whose copies share a session's memory and would hide it.

python -m benchmarks.sandbox [--sessions 50] [--cells 200]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from rlm_kernel.sandbox import Event, Limits, Session, Zygote


def report(name: str, seconds: Sequence[float]) -> None:
    """Prints the median and the 10th and 90th percentiles, in milliseconds."""
    low, *_, high = statistics.quantiles(seconds, n=10)
    middle = statistics.median(seconds)
    print(f"{name:<34}{middle * 1e3:9.2f} ms   ({low * 1e3:.2f} .. {high * 1e3:.2f})")


def private_bytes(pid: int) -> int:
    """Memory of a process that it shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


async def execute(session: Session, code: str, number: int) -> float:
    started = time.perf_counter()
    await session.request("execute_request", {"code": code}, request_id=str(number))
    return time.perf_counter() - started


async def interrupt(session: Session, number: int) -> float:
    """Seconds from the interrupt to the reply, the rendered traceback included."""
    running = asyncio.Event()

    def take(event: Event) -> None:
        if event.kind == "stream":
            running.set()

    session.on_event = take
    code = "print('running')\nwhile True: pass"
    cell = asyncio.create_task(execute(session, code, number))
    await running.wait()
    started = time.perf_counter()
    session.interrupt()
    await cell
    return time.perf_counter() - started


async def measure(session_count: int, cell_count: int) -> None:
    started = time.perf_counter()
    zygote = await Zygote.start(Limits(standby=False))
    print(f"{'zygote, start to ready':<34}{(time.perf_counter() - started) * 1e3:9.0f} ms")
    try:
        created, sessions = [], []
        for _ in range(session_count):
            started = time.perf_counter()
            sessions.append(await zygote.spawn())
            created.append(time.perf_counter() - started)
        report("create a session", created)
        report("its first cell, x = 1", [await execute(s, "x = 1", 0) for s in sessions])
        memory = [private_bytes(session.pid) for session in sessions]
        print(f"{'private memory of a session':<34}{statistics.median(memory) / 2**20:9.2f} MiB")
        session = sessions[0]
        report("x = 1", [await execute(session, "x = 1", n) for n in range(1, cell_count)])
        report("print(1)", [await execute(session, "print(1)", n) for n in range(1, cell_count)])
        report(
            "await asyncio.sleep(0)",
            [
                await execute(session, "import asyncio; await asyncio.sleep(0)", n)
                for n in range(1, cell_count)
            ],
        )
        report("interrupt to reply", [await interrupt(session, n) for n in range(1, 30)])
        copied = []
        for _ in range(20):
            started = time.perf_counter()
            sessions.append(await session.fork())
            copied.append(time.perf_counter() - started)
        report("fork a live session", copied)
        closed = []
        for session in sessions:
            started = time.perf_counter()
            await session.close()
            closed.append(time.perf_counter() - started)
        report("close a session", closed)
    finally:
        await zygote.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--cells", type=int, default=200)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.sessions, arguments.cells))


if __name__ == "__main__":
    main()
