"""Noticing the end of the parent process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WATCHER = """
import asyncio, os, sys
{patch}
from rlm_kernel.kernel.parent import ParentWatch

async def main():
    ended = asyncio.Event()
    watch = ParentWatch(int(sys.argv[1]), ended.set)
    print("watching", flush=True)
    await ended.wait()
    watch.close()
    print("the parent ended", flush=True)

asyncio.run(main())
"""
NO_PIDFD = "def refuse(*a): raise OSError\nos.pidfd_open = refuse"
PARENT = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())])
sys.stdin.read()
"""


@pytest.mark.parametrize("patch", ["", NO_PIDFD], ids=["pidfd", "polling"])
def test_the_end_of_the_parent_is_noticed(patch: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, WATCHER.format(patch=patch)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin, parent.stdout:
        assert parent.stdout.readline() == "watching\n"
        parent.kill()
        parent.wait()
        assert parent.stdout.readline() == "the parent ended\n"
