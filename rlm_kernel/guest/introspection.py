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
        code, cursor = _code_and_cursor(content)
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
        name = token_at_cursor(*_code_and_cursor(content))
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
        """Inputs, and outputs where they are asked for.

        Each has the number of its session: the current one's own, also where it was asked for as 0.
        """
        current = self._shell.history_manager.session_number
        found = self._find(content.get("hist_access_type"), content)
        entries = [(session or current, line, entry) for session, line, entry in found]
        return {"status": "ok", "history": entries}

    def _find(self, access: str | None, content: Content) -> Any:
        manager = self._shell.history_manager
        form = {"raw": content.get("raw", True), "output": content.get("output", False)}
        if access == "range":
            session, start = content.get("session") or 0, content.get("start") or 1
            return manager.get_range(session, start, content.get("stop"), **form)
        if access == "search":
            pattern, unique = content.get("pattern") or "*", content.get("unique", False)
            return manager.search(pattern, n=content.get("n"), unique=unique, **form)
        if access == "tail":
            return manager.get_tail(content.get("n"), include_latest=True, **form)
        raise ValueError(f"there is no history access of type {access!r}")


def _code_and_cursor(content: Content) -> tuple[str, int]:
    code, cursor = content["code"], content.get("cursor_pos")
    return code, len(code) if cursor is None else cursor
