"""What the manager's handlers work with."""

from __future__ import annotations

from dataclasses import dataclass

from rlm_kernel import errors
from rlm_kernel.http import handler
from rlm_kernel.http.operation import Faults
from rlm_kernel.manager.lab.folder import LabFolder
from rlm_kernel.manager.metrics import Metrics
from rlm_kernel.manager.readiness import Readiness
from rlm_kernel.manager.registry import Manager
from rlm_kernel.manager.zygotes import ZygoteKeeper

IN_SESSION: Faults = (errors.SessionNotFound, errors.SessionExpired)
"""What any request to a session may be answered with."""

IN_TURN: Faults = (*IN_SESSION, errors.RequestAborted, errors.ZygoteError)
"""What one may be answered with that needs the session's process, after those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services(handler.Reception):
    """Beside what is asked at the door, the manager itself and its limits."""

    metrics: Metrics
    manager: Manager
    zygotes: ZygoteKeeper
    metrics_token: str | None
    readiness: Readiness
    max_file_bytes: int
    max_timeout: float
    stream_bytes: int
    lab: LabFolder | None = None


class Handler(handler.Handler):
    """Base of all handlers of the manager."""

    services: Services
