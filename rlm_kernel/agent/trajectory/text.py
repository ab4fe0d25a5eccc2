"""What outputs of cells are as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Outputs = Iterable[Mapping[str, Any]]

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def stream_text(outputs: Outputs, name: str) -> str:
    """All that was written to a stream. What is displayed, and results, are among stdout."""
    return "".join(_on_stream(output, name) for output in outputs)


def error_text(outputs: Outputs) -> str:
    """The traceback of what ended the cell, without colours; empty where nothing did."""
    return "".join(_traceback(output) for output in outputs if output["output_type"] == "error")


def shown_text(outputs: Outputs) -> str:
    """All of it, in order."""
    parts: list[str] = []
    for output in outputs:
        match output["output_type"]:
            case "stream":
                parts.append(output["text"])
            case "error":
                parts.append(_traceback(output))
            case _:
                parts.append(_plain(output))
    return "".join(parts)


def _on_stream(output: Mapping[str, Any], name: str) -> str:
    if output["output_type"] == "stream":
        return str(output["text"]) if output["name"] == name else ""
    return _plain(output) if name == "stdout" and "data" in output else ""


def _plain(output: Mapping[str, Any]) -> str:
    data = output["data"]
    return str(data.get("text/plain", f"<{', '.join(data)}>")) + "\n"


def _traceback(output: Mapping[str, Any]) -> str:
    lines = output["traceback"] or [f"{output['ename']}: {output['evalue']}"]
    return _ANSI.sub("", "\n".join(lines)) + "\n"
