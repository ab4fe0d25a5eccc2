"""The Pythons that are compared: each runs a program and says how long its `work()` took."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import ClassVar, Protocol

from rlm_kernel.cache import private_directory
from rlm_kernel.pyodide.release import VERSION
from rlm_kernel.sandbox import Limits, Sandbox

TIMED = """
import gc, time
gc.collect()
_started = time.perf_counter()
work()
_taken = (time.perf_counter() - _started) * 1e3
"""

NATIVE_LOOP = """
import json, sys
for line in sys.stdin:
    scope = {}
    exec(json.loads(line), scope)
    print(scope['_taken'], flush=True)
"""
NODE_LOOP = """
const loading = require('pyodide').loadPyodide();
const lines = require('readline').createInterface({input: process.stdin});
lines.on('line', async line => {
  const python = await loading;
  const scope = python.toPy({});
  python.runPython(JSON.parse(line), {globals: scope});
  console.log(scope.get('_taken'));
  scope.destroy();
});
"""


class Unavailable(Exception):
    """This machine lacks what an interpreter needs."""


class Interpreter(Protocol):
    name: ClassVar[str]

    def milliseconds(self, program: str) -> float:
        """Runs a program, which may be indented, and then its `work()`, which alone is timed."""

    def close(self) -> None: ...


class Session:
    """A session of this project."""

    name: ClassVar[str] = "rlm-kernel"

    def __init__(self) -> None:
        self._box = Sandbox(Limits(standby=False))

    def milliseconds(self, program: str) -> float:
        result = self._box.execute(f"%reset -f\n{textwrap.dedent(program)}{TIMED}_taken")
        if result.result is None:
            raise RuntimeError(result.error)
        return float(result.result)

    def close(self) -> None:
        self._box.close()


class _Process:
    """An interpreter that reads programs as lines of JSON, and writes a number for each."""

    name: ClassVar[str]

    def __init__(self, command: list[str], directory: Path | None = None) -> None:
        self._process = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def milliseconds(self, program: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(textwrap.dedent(program) + TIMED) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


class Native(_Process):
    """The CPython that runs this."""

    name: ClassVar[str] = f"CPython {sys.version_info.major}.{sys.version_info.minor}"

    def __init__(self) -> None:
        super().__init__([sys.executable, "-c", NATIVE_LOOP])


class PyodideOnNode(_Process):
    """The same release of Pyodide in V8."""

    name: ClassVar[str] = "Pyodide in Node"

    def __init__(self) -> None:
        if not shutil.which("node") or not shutil.which("npm"):
            raise Unavailable("there is no node or no npm")
        super().__init__(["node", "-e", NODE_LOOP], self._package())

    @staticmethod
    def _package() -> Path:
        directory = private_directory("benchmarks")
        if not (directory / "node_modules" / "pyodide").is_dir():
            quiet = ("--silent", "--no-audit", "--no-fund", "--no-save")
            command = ["npm", "install", *quiet, f"pyodide@{VERSION}"]
            subprocess.run(command, cwd=directory, check=True, timeout=300)
        return directory
