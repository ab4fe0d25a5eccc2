"""The agent as a service: questions over HTTP, the steps of their runs as they happen.

The names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlm_kernel.agent.service.server import AgentServer, serve

__all__ = ["AgentServer", "serve"]

_HOME = {"AgentServer": "server", "serve": "server"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
