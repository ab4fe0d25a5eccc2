"""Fields that every log line has of what is going on, such as `session_id`.

`bind` adds them to every later line of the task that calls it, `context` to every line that is
logged in the context it makes. They are kept apart from how lines look, which a kernel's start need
not wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import Context, ContextVar

_fields: ContextVar[Mapping[str, object]] = ContextVar("log_fields")


def bind(**fields: object) -> None:
    """Adds fields to the lines of the running task, over those of the same name.

    None takes a field away.
    """
    both = {**current(), **fields}
    _fields.set({name: value for name, value in both.items() if value is not None})


def context(**fields: object) -> Context:
    """A context of its own, in which every line has these fields and no others."""
    fresh = Context()
    fresh.run(bind, **fields)
    return fresh


def current() -> Mapping[str, object]:
    """The fields that a line has here."""
    return _fields.get({})
