"""Sandboxed Python sessions, each in a process forked from a warm zygote.

A public name is imported when it is first asked for: the process of a session, which has modules of
this package too, is to hold no more than it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlm_kernel.sandbox.capture import Capture, ExecutionError, ExecutionResult
    from rlm_kernel.sandbox.events import Event, Reply, State
    from rlm_kernel.sandbox.file_answers import FileEntry, FilePage, FilePiece
    from rlm_kernel.sandbox.file_transfer import Upload
    from rlm_kernel.sandbox.limits import Limits
    from rlm_kernel.sandbox.observer import Observer
    from rlm_kernel.sandbox.process import Cause
    from rlm_kernel.sandbox.rotation import ZygoteRotation
    from rlm_kernel.sandbox.sandbox import Sandbox
    from rlm_kernel.sandbox.session import Session
    from rlm_kernel.sandbox.zygote import Zygote

__all__ = [
    "Capture",
    "Cause",
    "Event",
    "ExecutionError",
    "ExecutionResult",
    "FileEntry",
    "FilePage",
    "FilePiece",
    "Limits",
    "Observer",
    "Reply",
    "Sandbox",
    "Session",
    "State",
    "Upload",
    "Zygote",
    "ZygoteRotation",
]

_HOMES = {
    "Capture": "capture",
    "Cause": "process",
    "Event": "events",
    "ExecutionError": "capture",
    "ExecutionResult": "capture",
    "FileEntry": "file_answers",
    "FilePage": "file_answers",
    "FilePiece": "file_answers",
    "Limits": "limits",
    "Observer": "observer",
    "Reply": "events",
    "Sandbox": "sandbox",
    "Session": "session",
    "State": "events",
    "Upload": "file_transfer",
    "Zygote": "zygote",
    "ZygoteRotation": "rotation",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
