"""The agent's own functions, as a session's code calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlm_kernel.guest.host import HostCall, HostCallError
from rlm_kernel.guest.host_functions import as_known, host_function
from rlm_kernel.guest.values import pack, unpack

CALL = "tool"
"""The name of the host call."""


class ToolError(Exception):
    """An exception of a tool, which runs outside of the session.

    `ename` is the name of its class out there. Where Python itself has that class, this is one of
    it as well: `except ValueError` catches a tool's ValueError.
    """

    def __init__(self, ename: str, evalue: str) -> None:
        super().__init__(evalue)
        self.ename = ename
        self.evalue = evalue

    def __str__(self) -> str:
        return self.evalue if type(self) is not ToolError else f"{self.ename}: {self.evalue}"


def tool_functions(tools: Sequence[Mapping[str, str]], host_call: HostCall) -> dict[str, Any]:
    """What code needs for `tools`, each with its `name`, `signature` and `doc`; by name."""
    if not tools:
        return {}
    return {"ToolError": ToolError} | {tool["name"]: _function(tool, host_call) for tool in tools}


def _function(tool: Mapping[str, str], host_call: HostCall) -> Callable[..., Any]:
    name = tool["name"]

    def ask(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        packed = {"name": name, "args": _packed(args, name), "kwargs": _packed(kwargs, name)}
        return unpack(host_call(CALL, packed))

    return host_function(tool, ask, _typed)


def _packed(arguments: tuple[Any, ...] | dict[str, Any], tool: str) -> object:
    if isinstance(arguments, tuple):
        return [pack(value, f"argument {at} of {tool}") for at, value in enumerate(arguments, 1)]
    return {name: pack(value, f"{name} of {tool}") for name, value in arguments.items()}


def _typed(error: HostCallError) -> Exception:
    told = (error.ename, error.evalue)
    return as_known(
        error,
        lambda known: type(error.ename, (ToolError, known), {})(*told),
        ToolError(*told),
    )
