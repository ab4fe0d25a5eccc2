"""What cannot work here, and the one line that says why."""

from __future__ import annotations

import _socket
import _thread
import errno
import os
import posix
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

NO_JAVASCRIPT = "there is no JavaScript in this sandbox"
NO_INSTALLER = "packages are installed before a session starts, by --preload"
NO_THREADS = "no threads in this sandbox"
NO_SUBPROCESSES = "no subprocesses in this sandbox"
NO_NETWORK = "no network in this sandbox"

REASONS = {
    "_pyodide": NO_JAVASCRIPT,
    "_pyodide_core": NO_JAVASCRIPT,
    "js": NO_JAVASCRIPT,
    "pyodide": NO_JAVASCRIPT,
    "pyodide_js": NO_JAVASCRIPT,
    "micropip": NO_INSTALLER,
    "pip": NO_INSTALLER,
    "_posixshmem": NO_SUBPROCESSES,
}
"""Modules that are not there."""

STARTS_OF_THREADS = ("start_new_thread", "start_new", "start_joinable_thread")
STARTS_OF_PROCESSES = ("fork", "forkpty", "execv", "execve", "system")
WAITS_FOR_PROCESSES = ("wait", "wait3", "wait4", "waitpid")
LOOKUPS_OF_NAMES = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")


class Refusals(MetaPathFinder):
    """Fails the import of these modules with the reason."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in REASONS:
            raise ModuleNotFoundError(f"{fullname}: {REASONS[fullname]}", name=fullname)
        return None


class RefusedLock:
    """A lock between processes."""

    SEM_VALUE_MAX = 1

    def __init__(self, *_arguments: object, **_options: object) -> None:
        raise no_subprocesses()


def install() -> None:
    """Has Python say why, in place of what the C library makes of it."""
    sys.meta_path.insert(0, Refusals())
    refuse(STARTS_OF_THREADS, no_threads, _thread)
    refuse(["_start_joinable_thread"], no_threads, threading)
    refuse(STARTS_OF_PROCESSES, no_subprocesses, posix, os)
    refuse(WAITS_FOR_PROCESSES, no_children, posix, os)
    refuse(["__init__"], no_subprocesses, subprocess.Popen)
    refuse(["__init__"], no_network, socket.socket)
    refuse(["socketpair"], no_network, _socket, socket)
    refuse(LOOKUPS_OF_NAMES, no_names, _socket, socket)
    sys.modules["_multiprocessing"] = _multiprocessing()


def refuse(names: Sequence[str], error: Callable[[], Exception], *owners: Any) -> None:
    """Has these functions of all owners raise an error."""

    def refused(*_arguments: object, **_options: object) -> NoReturn:
        raise error()

    for owner in owners:
        for name in names:
            setattr(owner, name, refused)


def no_threads() -> Exception:
    return RuntimeError(NO_THREADS)


def no_subprocesses() -> Exception:
    return OSError(errno.ENOTSUP, NO_SUBPROCESSES)


def no_children() -> Exception:
    return ChildProcessError(errno.ECHILD, NO_SUBPROCESSES)


def no_network() -> Exception:
    return OSError(errno.ENOTSUP, NO_NETWORK)


def no_names() -> Exception:
    return socket.gaierror(socket.EAI_FAIL, NO_NETWORK)


def _multiprocessing() -> ModuleType:
    """What `multiprocessing` needs to be imported, and to fail where it is used."""
    module = ModuleType("_multiprocessing", "Locks between processes, which there are none of.")
    members = {"SemLock": RefusedLock, "flags": {}}
    module.__dict__.update(members)
    refuse(["sem_unlink"], no_subprocesses, module)
    return module
