"""Requests that look at code or at the session without running a cell."""

from __future__ import annotations

from typing import Any

from IPython.core.completer import provisionalcompleter, rectify_completions
from IPython.utils.tokenutil import token_at_cursor

from rlm_kernel.guest.shell import SessionShell

Content = dict[str, Any]


class Introspection:
    """Answers complete, inspect, is_complete and history requests of the Jupyter protocol."""

    def __init__(self, shell: SessionShell) -> None:
        self._shell = shell

    def is_complete(self, content: Content) -> Content:
        manager = self._shell.input_transformer_manager
        status, indent = manager.check_complete(content["code"])
        return {"status": status, **({"indent": " " * indent} if status == "incomplete" else {})}

    def complete(self, content: Content) -> Content:
        code = content["code"]
        cursor = content.get("cursor_pos")
        cursor = len(code) if cursor is None else cursor
        with provisionalcompleter():
            found = list(rectify_completions(code, self._shell.Completer.completions(code, cursor)))
        typed = [
            {
                "start": c.start,
                "end": c.end,
                "text": c.text,
                "type": c.type,
                "signature": c.signature,
            }
            for c in found
        ]
        return {
            "status": "ok",
            "matches": [c.text for c in found],
            "cursor_start": found[0].start if found else cursor,
            "cursor_end": found[0].end if found else cursor,
            "metadata": {"_jupyter_types_experimental": typed},
        }

    def inspect(self, content: Content) -> Content:
        name = token_at_cursor(content["code"], content.get("cursor_pos") or 0)
        try:
            data = self._shell.object_inspect_mime(
                name,
                detail_level=content.get("detail_level", 0),
                omit_sections=tuple(content.get("omit_sections", ())),
            )
        except KeyError:
            return {"status": "ok", "found": False, "data": {}, "metadata": {}}
        return {"status": "ok", "found": True, "data": data, "metadata": {}}

    def history(self, content: Content) -> Content:
        """The inputs of this session, the last `n` of them for a tail."""
        manager = self._shell.history_manager
        inputs = manager.input_hist_raw if manager else []
        entries = [(0, line, code) for line, code in enumerate(inputs) if line > 0]
        if content.get("hist_access_type") == "tail":
            entries = entries[-content["n"] :] if content.get("n") else entries
        if content.get("output"):
            return {"status": "ok", "history": [(s, n, (code, None)) for s, n, code in entries]}
        return {"status": "ok", "history": entries}

    def comm_info(self, _content: Content) -> Content:
        return {"status": "ok", "comms": {}}
