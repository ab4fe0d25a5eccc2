"""What a session says: events while code runs, and the reply that ends a request.

All of it may have been written by the guest's code, so its form is checked before it is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["kept", "rolled_back", "lost"]
"""What became of the session's variables."""

_BUNDLE: dict[str, type] = {"data": dict, "metadata": dict}
_COMM: dict[str, type] = {"comm_id": str, "data": dict, "metadata": dict}
_ERROR: dict[str, type] = {"ename": str, "evalue": str, "traceback": list}
_FORMS: dict[str, dict[str, type]] = {
    "execute_input": {"code": str, "execution_count": int},
    "stream": {"name": str, "text": str},
    "display_data": {**_BUNDLE, "transient": dict},
    "update_display_data": {**_BUNDLE, "transient": dict},
    "execute_result": {**_BUNDLE, "execution_count": int},
    "error": _ERROR,
    "clear_output": {"wait": bool},
    "input_request": {"prompt": str, "password": bool},
    "comm_open": {**_COMM, "target_name": str},
    "comm_msg": _COMM,
    "comm_close": _COMM,
}
"""The fields that the content of each kind of event must have, and their types."""

_STREAMS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that running code did; `content` is that of the Jupyter message of this kind.

    A comm message's metadata is in its content.

    `request_id` is the request whose code did it; it may come after that request's reply.
    """

    kind: str
    request_id: str
    content: dict[str, Any]
    buffers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a request; `content` is that of the Jupyter reply.

    Where the code took too long `timed_out` is set, and `overrun` says what it did too long.
    """

    content: dict[str, Any]
    state: State = "kept"
    timed_out: bool = False
    overrun: str = ""


def is_event(kind: str, content: Mapping[str, Any]) -> bool:
    """Whether this is a known kind of event, with all that belongs to it."""
    form = _FORMS.get(kind)
    if form is None or not _fits(content, form):
        return False
    if kind == "stream":
        return content["name"] in _STREAMS
    if kind == "input_request":
        return type(content.get("question", 0)) is int
    return kind != "error" or _has_text(content["traceback"])


def is_reply(content: Mapping[str, Any]) -> bool:
    """Whether this is the content of a reply: with a status, and an error's fields where it failed.

    An `execution_count`, where there is one, is a number.
    """
    if not isinstance(content.get("execution_count", 0), int):
        return False
    if content.get("status") == "error":
        return _fits(content, _ERROR) and _has_text(content["traceback"])
    return isinstance(content.get("status"), str)


def _fits(content: Mapping[str, Any], form: Mapping[str, type]) -> bool:
    return all(isinstance(content.get(name), kind) for name, kind in form.items())


def _has_text(lines: list[Any]) -> bool:
    return all(isinstance(line, str) for line in lines)
