"""Sandboxed Python sessions, each in a process forked from a warm zygote."""

from __future__ import annotations

from rlm_kernel.sandbox.capture import Capture, ExecutionError, ExecutionResult
from rlm_kernel.sandbox.events import Event, Reply, State
from rlm_kernel.sandbox.file_transfer import Upload
from rlm_kernel.sandbox.limits import Limits
from rlm_kernel.sandbox.rotation import ZygoteRotation
from rlm_kernel.sandbox.sandbox import Sandbox
from rlm_kernel.sandbox.session import Session
from rlm_kernel.sandbox.zygote import Zygote

__all__ = [
    "Capture",
    "Event",
    "ExecutionError",
    "ExecutionResult",
    "Limits",
    "Reply",
    "Sandbox",
    "Session",
    "State",
    "Upload",
    "Zygote",
    "ZygoteRotation",
]
