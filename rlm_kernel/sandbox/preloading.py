"""What went wrong with the packages that a zygote was to preload."""

from __future__ import annotations

import json

from rlm_kernel.emscripten import FileSystem, SyscallError, expect_file
from rlm_kernel.guest.preload import REPORT
from rlm_kernel.pyodide.preloaded import Preloaded

PROBLEMS_MAX, PROBLEM_MAX = 10, 500
"""How many are told, and characters of each: they travel in one packet."""

REPORT_MAX = 1 << 20


def preload_problems(preloaded: Preloaded, filesystem: FileSystem) -> list[str]:
    """One line for each package that is missing and each module that could not be imported.

    The guest's report on its imports is removed.
    """
    problems = [*preloaded.missing, *_failed_imports(filesystem)]
    return [problem[:PROBLEM_MAX] for problem in problems[:PROBLEMS_MAX]]


def _failed_imports(filesystem: FileSystem) -> list[str]:
    if not filesystem.exists(REPORT):
        return []
    try:
        report = expect_file(filesystem.resolve(REPORT))
        failed = json.loads(bytes(report.read_at(0, REPORT_MAX)))
        filesystem.unlink(REPORT)
        return [f"import {name} failed: {reason}" for name, reason in failed]
    except (SyscallError, ValueError, TypeError):
        return ["the packages have damaged the report on their imports"]
