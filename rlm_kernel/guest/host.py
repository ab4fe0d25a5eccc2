"""Calls of functions that live outside of the sandbox, with whoever executes the cell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rlm_kernel.guest.asking import Asker
from rlm_kernel.guest.gathering import Gathering

HostCall = Callable[[str, dict[str, Any]], Any]
"""What calls a function of the host by its name, as `call` does."""

PROMPT_PREVIEW = 2000

asker: Asker | None = None
"""Set when the session starts."""


class HostCallError(Exception):
    """A host call that failed out there.

    `ename` is the class of the error, `evalue` its text, and `code` names its kind where one is
    known, for programs.
    """

    def __init__(self, ename: str, evalue: str, code: str = "") -> None:
        super().__init__(f"{ename}: {evalue}")
        self.ename = ename
        self.evalue = evalue
        self.code = code


def call(name: str, args: dict[str, Any]) -> Any:
    """Calls a function of the host and waits for its value.

    `args` and the value are what JSON can hold. Raises `HostCallError` when the call failed, and
    `StdinNotImplementedError` when the client that runs the cell answers no questions. A person
    may answer in the host's place: plain text is taken as the value.
    """
    prompt, asked = _question(name, args)
    return _value(_asker().ask(prompt, caller=name, host_call=asked))


async def acall(name: str, args: dict[str, Any]) -> Any:
    """As `call`, but other tasks run meanwhile; calls awaited at the same time go out as one."""
    return await _gathering.call(name, args)


def value_of(outcome: Any) -> Any:
    """What {"ok": value} holds, or all of what has another form. Raises HostCallError."""
    if isinstance(outcome, dict) and outcome.keys() == {"ok"}:
        return outcome["ok"]
    if isinstance(outcome, dict) and outcome.keys() == {"error"}:
        raise _error(outcome["error"])
    return outcome


async def _ask(name: str, args: dict[str, Any]) -> Any:
    prompt, asked = _question(name, args)
    return _value(await _asker().ask_later(prompt, caller=name, host_call=asked))


_gathering = Gathering(_ask, value_of)


def _asker() -> Asker:
    if asker is None:
        raise RuntimeError("host calls work only inside of a session")
    return asker


def _question(name: str, args: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    json.dumps(args)  # what is no JSON would arrive as its repr
    shown = ", ".join(f"{key}={_preview(value)}" for key, value in args.items())
    return f"{name}({shown[:PROMPT_PREVIEW]}) = ", {"name": name, "args": args}


def _preview(value: Any) -> str:
    return repr(value[:PROMPT_PREVIEW] if isinstance(value, str) else value)


def _value(answer: str) -> Any:
    try:
        decoded = json.loads(answer)
    except ValueError:
        return answer
    is_outcome = isinstance(decoded, dict) and decoded.keys() in ({"ok"}, {"error"})
    return value_of(decoded) if is_outcome else answer


def _error(error: Any) -> HostCallError:
    if not isinstance(error, dict):
        return HostCallError("Error", str(error))
    named = (str(error.get(key, "")) for key in ("ename", "evalue", "code"))
    ename, evalue, code = named
    return HostCallError(ename or "Error", evalue, code)
