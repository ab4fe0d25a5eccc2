"""Calls of functions that live outside of the sandbox, with whoever executes the cell."""

from __future__ import annotations

import json
from typing import Any

from rlm_kernel.guest.asking import Asker

PROMPT_PREVIEW = 2000

asker: Asker | None = None
"""Set when the session starts."""


class HostCallError(Exception):
    """A host call that failed out there. `ename` is the class of the error, `evalue` its text."""

    def __init__(self, ename: str, evalue: str) -> None:
        super().__init__(f"{ename}: {evalue}")
        self.ename = ename
        self.evalue = evalue


def call(name: str, args: dict[str, Any]) -> Any:
    """Calls a function of the host and waits for its value.

    `args` and the value are what JSON can hold. Raises `HostCallError` when the call failed, and
    `StdinNotImplementedError` when the client that runs the cell answers no questions. A person
    may answer in the host's place: plain text is taken as the value.
    """
    if asker is None:
        raise RuntimeError("host calls work only inside of a session")
    json.dumps(args)  # what is no JSON would arrive as its repr
    shown = ", ".join(f"{key}={value!r}" for key, value in args.items())[:PROMPT_PREVIEW]
    prompt, asked = f"{name}({shown}) = ", {"name": name, "args": args}
    answer = asker.ask(prompt, caller=name, host_call=asked)
    return _value(answer)


def _value(answer: str) -> Any:
    try:
        decoded = json.loads(answer)
    except ValueError:
        return answer
    if isinstance(decoded, dict) and decoded.keys() == {"ok"}:
        return decoded["ok"]
    if isinstance(decoded, dict) and decoded.keys() == {"error"}:
        error = decoded["error"]
        raise HostCallError(str(error.get("ename", "Error")), str(error.get("evalue", "")))
    return answer
