"""The manager: one process that holds many sessions and answers for them over HTTP.

The names are imported when they are first used: a client needs neither a server nor a sandbox.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlm_kernel.manager.client import ManagerClient
    from rlm_kernel.manager.registry import Manager
    from rlm_kernel.manager.server import ManagerServer, serve
    from rlm_kernel.manager.zygotes import ZygoteKeeper

__all__ = ["Manager", "ManagerClient", "ManagerServer", "ZygoteKeeper", "serve"]

_HOME = {
    "Manager": "registry",
    "ManagerClient": "client",
    "ManagerServer": "server",
    "ZygoteKeeper": "zygotes",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
