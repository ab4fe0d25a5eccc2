"""Functions of another library that a session's code may call: described to it, called for it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from rlm_kernel.agent.blocking import run_blocking

Function = Callable[..., Any]


def installation(functions: Mapping[str, Function], **offer: Any) -> str:
    """The code that makes a session offer functions, and what else `guest.adapter` can offer."""
    described = json.dumps({"functions": _described(functions), **offer})
    return (
        "from rlm_kernel.guest import adapter as _adapter\n"
        f"_adapter.install(get_ipython(), {described!r})"
    )


def _described(functions: Mapping[str, Function]) -> list[dict[str, str]]:
    """The name, the signature and the docstring of each."""
    return [
        {"name": name, "signature": _signature(function), "doc": inspect.getdoc(function) or ""}
        for name, function in functions.items()
    ]


def invoke(function: Function, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call a function in this thread and give its value as JSON can hold it.

    An awaitable is awaited, whether or not an event loop runs here. Raises what the function
    raises, and TypeError for arguments that it does not take.
    """
    value = _call(function, args, kwargs)
    return as_json(run_blocking(_in_this_context(value)) if inspect.isawaitable(value) else value)


def as_json(value: Any) -> Any:
    """A value as JSON can hold it; of an object that it cannot, a text that shows it.

    Raises TypeError for bytes that are not UTF-8.
    """
    from pydantic_core import to_jsonable_python

    try:
        return to_jsonable_python(value, fallback=repr, inf_nan_mode="constants")
    except ValueError as error:  # bytes that are no text, say
        raise TypeError(f"this cannot go into a session: {error}") from None


def _call(function: Function, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """By name where that is possible: some libraries' functions take nothing by position."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except ValueError:  # a built-in one that has no signature
        return function(*args, **kwargs)
    if bound.args and all(_has_name(each) for each in bound.signature.parameters.values()):
        named = {
            name: value
            for name, value in bound.arguments.items()
            if bound.signature.parameters[name].kind is not inspect.Parameter.VAR_KEYWORD
        }
        return function(**named, **_extra(bound))
    return function(*bound.args, **bound.kwargs)


def _has_name(parameter: inspect.Parameter) -> bool:
    return parameter.kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.VAR_POSITIONAL,
    )


def _extra(bound: inspect.BoundArguments) -> dict[str, Any]:
    """What `**kwargs` of the function takes."""
    for name, parameter in bound.signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            return dict(bound.arguments.get(name, {}))
    return {}


def _signature(function: Function) -> str:
    try:
        return str(inspect.signature(function))
    except (TypeError, ValueError):
        return "(...)"


def _in_this_context(value: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    """Awaits in a copy of the caller's context, although it may happen in another thread."""
    context = contextvars.copy_context()

    async def wait() -> Any:
        return await value

    async def run() -> Any:
        return await asyncio.get_running_loop().create_task(wait(), context=context)

    return run()
