"""Functions of the agent's own that a session's code may call, and how a model learns of them."""

from __future__ import annotations

import builtins
import inspect
import keyword
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from rlm_kernel.agent.environment import HostCallFailedError
from rlm_kernel.agent.threads import in_thread
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.guest.offering import OWN_NAMES
from rlm_kernel.guest.rlm import Functions
from rlm_kernel.guest.values import pack, unpack

ToolFunction = Callable[..., Any]
Tools = Mapping[str, ToolFunction] | Sequence[ToolFunction]
"""Functions by the names they are to have, or functions that have names."""

_VARIABLE = re.compile(r"_.*|context(_\d+)?|history|display")
_DOC_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with the name, the signature and the documentation that are shown of it."""

    name: str
    function: ToolFunction
    signature: str
    doc: str

    @classmethod
    def of(cls, name: str, function: ToolFunction) -> Self:
        """Raises ConfigurationError for what no code could call by this name."""
        if not callable(function):
            raise ConfigurationError(f"the tool {name!r} is no function")
        _check_name(name)
        try:
            signature = str(inspect.signature(function))
        except (TypeError, ValueError):  # of some functions that are written in C
            signature = "(...)"
        doc = (inspect.getdoc(function) or "").strip()
        return cls(name, function, signature, doc[:_DOC_LIMIT])

    @property
    def shown(self) -> dict[str, str]:
        """What the session needs to know."""
        return {"name": self.name, "signature": self.signature, "doc": self.doc}

    async def call(self, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Its value. One that is not asynchronous runs in a thread of its own."""
        if inspect.iscoroutinefunction(self.function):
            return await self.function(*args, **kwargs)
        value = await in_thread(lambda: self.function(*args, **kwargs))
        return await value if inspect.isawaitable(value) else value


class Toolbox:
    """The tools of an agent, by name."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools = {tool.name: tool for tool in tools}

    @classmethod
    def of(cls, tools: Tools | None) -> Self:
        """Raises ConfigurationError for what cannot be a tool, and for a name used twice."""
        if isinstance(tools, Mapping):
            return cls([Tool.of(name, function) for name, function in tools.items()])
        named = [(getattr(each, "__name__", ""), each) for each in tools or ()]
        names = [name for name, _ in named]
        for name in names:
            if names.count(name) > 1:
                raise ConfigurationError(f"there are several tools of the name {name!r}")
        return cls([Tool.of(name, function) for name, function in named])

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    async def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """The packed value of a tool that is called with packed arguments.

        Raises HostCallFailedError with the class and the text of whatever the tool raises.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise HostCallFailedError("NameError", f"there is no tool {name!r}")
        try:
            value = await tool.call(unpack(args), unpack(kwargs))
            return pack(value, f"what {name} returned")
        except (Exception, SystemExit) as error:  # which would end the event loop
            raise HostCallFailedError(type(error).__name__, str(error)) from error


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ConfigurationError(f"a tool cannot be called {name!r}: it is no name in Python")
    if name in _own_names() or _VARIABLE.fullmatch(name) or hasattr(builtins, name):
        raise ConfigurationError(f"a tool cannot be called {name!r}: sessions have that already")


def _own_names() -> set[str]:
    namespace: dict[str, Any] = {}
    Functions(namespace, lambda name, args: None).offer(sub_calls=True, recursion=True)
    return namespace.keys() | OWN_NAMES | {"ToolError"}
