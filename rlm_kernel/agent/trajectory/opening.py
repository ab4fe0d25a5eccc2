"""The first cell of a run's notebook: it makes the session what it was when the run began."""

from __future__ import annotations

import hashlib
import json
import textwrap

from rlm_kernel.agent.trajectory.cells import Cell
from rlm_kernel.agent.trajectory.trajectory import HostCall, RecordedContext, RecordedRun
from rlm_kernel.guest.recorded import packed
from rlm_kernel.guest.rlm import value_of

EMBEDDED_BYTES = 1_500_000
"""Of text that a page can still show; a context compresses to a third of itself, or less."""

_LITERAL_CHARACTERS = 2_000
_HANDED = "it is in the session of the run that began this one"
_TOO_LARGE = "it was too large, {note}"
_CODE = """\
# Defines `context`, and lets the session's functions answer from the recording.
from rlm_kernel.guest import recorded

recorded.begin(
    context={context},
    sub_calls={sub_calls},
    recursion={recursion},{tools}{replies}
)"""


def opening_cell(run: RecordedRun, context_file: str | None, embedded_bytes: int) -> Cell:
    """The cell. Its code is hidden where it is long, until a reader wants to see it."""
    replies = _replies(run)
    code = _CODE.format(
        context=_context(run.context, context_file, embedded_bytes),
        sub_calls=run.depth_left > 0,
        recursion=run.depth_left > 1,
        tools=f"\n    tools={[*run.tools]!r}," if run.tools else "",
        replies=f"\n    replies={_wrapped(packed(replies))}," if replies else "",
    )
    hidden = {"jupyter": {"source_hidden": True}} if len(code) > 2 * _LITERAL_CHARACTERS else {}
    return Cell("code", code, hidden)


def fits_within(context: RecordedContext, embedded_bytes: int = EMBEDDED_BYTES) -> bool:
    """Whether the context is small enough to be within a notebook."""
    return context.packed is not None and len(context.packed) * 4 // 3 <= embedded_bytes


def _context(context: RecordedContext, context_file: str | None, embedded_bytes: int) -> str:
    data = context.data()
    if context.form == "handed":
        return f"recorded.missing({_HANDED!r})"
    if data is None:
        return f"recorded.missing({_TOO_LARGE.format(note=context.note)!r})"
    if fits_within(context, embedded_bytes):
        is_short = context.form != "files" and len(data) <= _LITERAL_CHARACTERS
        literal = repr(value_of(data, context.form)) if is_short else ""
        if 0 < len(literal) <= 2 * _LITERAL_CHARACTERS:
            return literal
        return f"recorded.unpacked({context.form!r}, {_wrapped(packed(data))})"
    if context_file is None:
        return f"recorded.missing({_TOO_LARGE.format(note=context.note)!r})"
    sha256 = hashlib.sha256(data).hexdigest()
    return f"recorded.beside({context_file!r}, {context.form!r}, {sha256!r})"


def _replies(run: RecordedRun) -> bytes:
    """What the host answered, by the digest of the call; empty where there were no calls."""
    replies: dict[str, list[str]] = {}
    for turn in run.turns:
        for calls in (*(block.host_calls for block in turn.blocks), turn.host_calls):
            for call in calls:
                replies.setdefault(call.digest, []).append(_reply(call))
    return json.dumps(replies).encode() if replies else b""


def _reply(call: HostCall) -> str:
    if call.error is None:
        return json.dumps({"ok": call.value})
    return json.dumps({"error": call.error})


def _wrapped(text: str) -> str:
    return f'"""\n{textwrap.fill(text, 100)}\n"""'
