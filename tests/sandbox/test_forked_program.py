"""Sandboxes of a program that forks itself."""

from __future__ import annotations

import subprocess
import sys
import textwrap

FORKING = """
    import os
    from rlm_kernel.errors import SandboxError
    from rlm_kernel.sandbox import Limits, Sandbox

    with Sandbox(Limits(standby=False)) as box:
        box.execute("x = 1")
        child = os.fork()
        if child == 0:
            try:
                box.execute("x = 2")
            except SandboxError as error:
                print(error, flush=True)
            with Sandbox(Limits(standby=False)) as own:
                print(own.execute("'own'").result, flush=True)
            raise SystemExit(7)  # through the end of the block, and what is done at exit
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), box.execute("x").result)
"""


def test_a_forked_program_has_sandboxes_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(FORKING)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines() == [
        "it belongs to the process that this one was forked from",
        "'own'",
        "7 1",
    ]
