"""Sessions that send without end: the others go on, and the manager's memory has an end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run
from tests.sandbox.test_forgery import FORGE

OUTPUT_BYTES = 1 << 20
DISPLAY_BYTES = 4 << 20
MANAGER_BYTES = 300 << 20

FLOODS = {
    "tiny writes": "while True: print('.', flush=True)",
    "large writes": "while True: print('x' * 100_000)",
    "standard error": "import sys\nwhile True: sys.stderr.write('e' * 1000)",
    "descriptors": "import os\nwhile True: os.write(1, b'x' * 1000); os.write(2, b'x')",
    "displays": "while True: display({'text/plain': 'x' * 1_000_000}, raw=True)",
    "errors": "error = ValueError('x' * 60_000)\n"
    "while True: get_ipython().showtraceback((ValueError, error, None))",
    "forged output": f"{FORGE}f = Frame('stream', me, {{'name': 'stdout', 'text': '.'}}).encode()\n"
    "f *= 1000\nwhile True: os.write(line, f)",
    "half a frame": f"{FORGE}import struct\nos.write(line, struct.pack('<II', 1 << 24, 1 << 20))\n"
    "while True: os.write(line, b'x' * 1000)",
}


@pytest.fixture(scope="module")
def limited() -> Any:
    environment = {
        "RLM_KERNEL_OUTPUT_BYTES": str(OUTPUT_BYTES),
        "RLM_KERNEL_DISPLAY_BYTES": str(DISPLAY_BYTES),
        "RLM_KERNEL_STANDBY": "0",
        "RLM_KERNEL_INTERRUPT_GRACE": "0.5",
    }
    with ManagerProcess(environment=environment) as process:
        yield process


def resident_bytes(pid: int) -> int:
    fields = Path(f"/proc/{pid}/status").read_text().split()
    return int(fields[fields.index("VmRSS:") + 1]) << 10


def test_floods_of_every_kind_at_once_leave_a_neighbour_and_the_manager_well(
    limited: ManagerProcess,
) -> None:
    with httpx.Client(base_url=limited.url, trust_env=False, timeout=100) as http:
        neighbour, *flooding = (
            f"/session/{http.post('/session').json()['session_id']}" for _ in range(len(FLOODS) + 1)
        )
        with ThreadPoolExecutor(len(FLOODS)) as pool:
            jobs = [
                pool.submit(http.post, f"{session}/execute", json={"code": code, "timeout": 2})
                for session, code in zip(flooding, FLOODS.values(), strict=True)
            ]
            while not all(job.done() for job in jobs):
                assert run(http, neighbour, "6 * 7")["result"] == "42"
                assert resident_bytes(limited.pid) < MANAGER_BYTES
                threading.Event().wait(0.02)
        for kind, job in zip(FLOODS, jobs, strict=True):
            result = job.result().json()
            assert result["status"] in ("timeout", "error"), kind
            assert len(result["stdout"] + result["stderr"]) < OUTPUT_BYTES + 1000, kind
            assert sum(len(str(shown)) for shown in result["display"]) < DISPLAY_BYTES, kind
        for session in flooding:
            assert run(http, session, "6 * 7")["result"] == "42"
