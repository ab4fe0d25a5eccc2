"""The second wall: what a session's process gives up before the guest's code runs in it."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Callable, Iterable
from typing import NoReturn

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.sandbox.capabilities import drop_capabilities
from rlm_kernel.sandbox.landlock import restrict_files
from rlm_kernel.sandbox.seccomp import filter_program, restrict_system_calls
from rlm_kernel.sandbox.system_calls import prctl

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
"""Source: Linux's `include/uapi/linux/prctl.h`."""

OPEN_FILES_MAX = 64


REPORT_END = "."
"""Ends the report of a probe: one that died on the way has none."""


def seal(keep: Iterable[int]) -> tuple[str, ...]:
    """Seals this process for good; descriptors other than `keep` are closed.

    Returns the names of the layers that this kernel does not have.
    """
    return tuple(name for name, apply in _layers(set(keep)).items() if not _applied(apply))


def missing_layers() -> tuple[str, ...]:
    """The names of the layers that this kernel does not have, as a copy of this process finds.

    All of them where the copy did not live to tell. Raises OSError where none can be made.
    """
    with contextlib.suppress(ConfigurationError):
        filter_program()  # made once, here, for all copies
    reader, writer = os.pipe()
    with open(reader) as report:  # noqa: PTH123 - a descriptor, not a path
        try:
            child = os.fork()
            if child == 0:
                _report(writer)
        finally:
            os.close(writer)
        *names, end = report.read().splitlines() or [""]
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
    return tuple(names) if end == REPORT_END else tuple(_layers(set()))


def _report(writer: int) -> NoReturn:
    try:
        os.write(writer, "\n".join([*seal([writer]), REPORT_END]).encode())
    finally:
        os._exit(0)


def _layers(keep: set[int]) -> dict[str, Callable[[], None]]:
    return {
        "closed files": lambda: _close_all_but(keep),
        "resource limits": _limit_resources,
        "no new privileges": lambda: prctl(PR_SET_NO_NEW_PRIVS, 1),
        "no dumps": lambda: prctl(PR_SET_DUMPABLE, 0),
        "no capabilities": drop_capabilities,
        "landlock": restrict_files,
        "seccomp": restrict_system_calls,
    }


def _applied(apply: Callable[[], None]) -> bool:
    try:
        apply()
    except Exception:  # whatever it was, the layer is not known to be there
        return False
    return True


def _close_all_but(keep: set[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    first = 3
    for kept in sorted(keep):
        os.closerange(first, kept)
        first = max(first, kept + 1)
    os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _limit_resources() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES_MAX, OPEN_FILES_MAX))
