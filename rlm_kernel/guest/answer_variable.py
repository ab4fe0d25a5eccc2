"""The variable `answer`, by which code claims to have an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

REFUSED = "The answer was refused, because the cell raised an exception."

_NAME = "answer"


class AnswerVariable:
    """A dict: `content` is the answer once `ready` is set, which counts for the cell it is set in.

    `namespace` is where it lives; code may bind the name to anything.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace

    def begin(self) -> None:
        """Define it, without an answer."""
        self._namespace[_NAME] = {"content": "", "ready": False}

    def claim(self) -> Mapping[str, Any] | None:
        """Its value where that says that it is ready."""
        value = self._namespace.get(_NAME)
        is_claim = isinstance(value, Mapping) and _is_true(value.get("ready"))
        return value if is_claim else None

    def withdraw(self) -> None:
        """A claim does not outlive its cell; its content does."""
        claim = self.claim()
        if claim is not None:
            self._namespace[_NAME] = {**claim, "ready": False}

    def restore(self) -> None:
        """As `withdraw`, and the variable is a dict again whatever it was."""
        value = self._namespace.get(_NAME)
        known = value if isinstance(value, Mapping) else {"content": ""}
        self._namespace[_NAME] = {**known, "ready": False}


def claimed(claim: Mapping[str, Any] | None) -> Any:
    """The content of a claim; the empty text where there is none."""
    content = None if claim is None else claim.get("content")
    return "" if content is None else content


@contextmanager
def failures_told() -> Iterator[None]:
    """What reads an answer runs code of its value's own: the cell's output tells where it fails."""
    try:
        yield
    except Exception as error:  # also of an integer of thousands of digits
        print(f"There is no answer yet: str() of it failed with {_described(error)}")


def _described(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # its own text may be what fails
        return type(error).__name__


def _is_true(flag: Any) -> bool:
    if isinstance(flag, str):
        return flag.strip().lower() in ("true", "yes", "1")
    try:
        return bool(flag)
    except Exception:  # the value's own code: of an array of several, for instance
        return False
