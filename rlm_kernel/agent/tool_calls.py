"""All of the host that the code of a run may call: models, child runs, and the agent's tools."""

from __future__ import annotations

import time
from typing import Any

from rlm_kernel.agent.clipping import clip
from rlm_kernel.agent.environment import HostCallFailedError, OnHostCall
from rlm_kernel.agent.events import ToolCallFinished, ToolCallStarted
from rlm_kernel.agent.setting import Setting
from rlm_kernel.guest import tools as guest_tools
from rlm_kernel.guest.values import unpack

_SHOWN = 2_000


class ToolCalls:
    """An `OnHostCall`: tools by themselves, all else by `functions`."""

    def __init__(self, run: str, setting: Setting, functions: OnHostCall) -> None:
        self._run = run
        self._setting = setting
        self._functions = functions

    async def __call__(self, name: str, args: dict[str, Any]) -> Any:
        """The value of the call, as JSON can hold it. Raises HostCallFailedError."""
        match name, args:
            case guest_tools.CALL, {"name": str(tool), "args": list(given), "kwargs": dict(named)}:
                return await self._call_tool(tool, given, named)
        return await self._functions(name, args)

    async def _call_tool(self, tool: str, given: list[Any], named: dict[str, Any]) -> Any:
        setting = self._setting
        call, started = setting.next_call(), time.monotonic()
        setting.emit(ToolCallStarted(self._run, call, tool, _shown_arguments(given, named)))
        value: str | None = None
        failure: str | None = "cancelled"
        try:
            result = await setting.tools.call(tool, given, named)
            value, failure = clip(repr(result), _SHOWN), None
        except HostCallFailedError as error:
            failure = str(error)
            raise
        finally:
            duration = time.monotonic() - started
            setting.emit(ToolCallFinished(self._run, call, value, failure, duration))
        return result


def _shown_arguments(given: list[Any], named: dict[str, Any]) -> str:
    try:
        shown = [repr(unpack(value)) for value in given]
        shown += [f"{name}={unpack(value)!r}" for name, value in named.items()]
    except Exception:  # code can send what no session packs: the call itself says what is wrong
        return "..."
    return clip(", ".join(shown), _SHOWN)
