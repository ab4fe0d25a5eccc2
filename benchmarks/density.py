"""Measures what sessions take of a machine's memory: a manager with more and more of them.

The figure is the sum of the proportional set sizes (PSS) of the manager and all processes below
it, so that what they share counts once.

python -m benchmarks.density [--sessions 50 100 200]
"""

from __future__ import annotations

import argparse
import asyncio

from benchmarks.memory import MB, proportional_bytes
from rlm_kernel.manager.client import ManagerClient
from tests.manager.process import ManagerProcess

SETTLING_SECONDS = 3.0
"""Longer than it takes until sessions that fell idle have their standbys."""

PLAIN = "x = 1"
DATA = "data = [{'line': n, 'text': 'word ' * 5} for n in range(20_000)]"


async def measure(counts: list[int]) -> None:
    with ManagerProcess(environment={"MAX_SESSIONS": str(max(counts))}) as manager:
        async with ManagerClient(manager.url) as client:
            await client.delete_session((await client.create_session()).session_id)
            base = await report(manager, "no session", 0, 0)
            sessions: list[str] = []
            for count in sorted(counts):
                while len(sessions) < count:
                    sessions.append((await client.create_session()).session_id)
                    await client.execute(sessions[-1], PLAIN)
                await report(manager, f"{count} sessions that ran {PLAIN}", count, base)
            for session in sessions:
                await client.execute(session, DATA)
            await report(manager, f"{len(sessions)} with 20,000 dicts each", len(sessions), base)


async def report(manager: ManagerProcess, what: str, count: int, base: int) -> int:
    await asyncio.sleep(SETTLING_SECONDS)
    pids = {manager.pid} | manager.descendants()
    total = proportional_bytes(pids)
    each = f"{(total - base) / count / MB:6.2f} MB each" if count else ""
    print(f"{what:<40} {len(pids):>4} processes {total / MB:8.1f} MB {each}", flush=True)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures what sessions take of the memory.")
    parser.add_argument("--sessions", type=int, nargs="+", default=[50, 100, 200])
    asyncio.run(measure(parser.parse_args().sessions))


if __name__ == "__main__":
    main()
