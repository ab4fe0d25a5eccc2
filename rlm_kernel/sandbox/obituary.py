"""What a request is answered whose process ended, or which took too long."""

from __future__ import annotations

from typing import Any

from rlm_kernel.sandbox.standby import Standby

LOST = "Its variables are lost."


def death(reason: str, consequence: str) -> dict[str, Any]:
    """The content of the reply to a request whose process ended."""
    evalue = f"the session's process is gone: {reason}. {consequence}"
    return {
        "status": "error",
        "ename": "SessionDied",
        "evalue": evalue,
        "traceback": [f"SessionDied: {evalue}"],
    }


def way_back(standby: Standby, kind: str) -> str:
    """What falling back to the standby costs, where a request of this kind ended its process."""
    is_cell = kind == "execute_request"
    cells = standby.cells_behind + is_cell
    if cells <= 1:
        before = f"this {'cell' if is_cell else 'request'}" if cells == is_cell else "the last cell"
    else:
        before = f"the last {cells} cells{', this one included' if is_cell else ''}"
    files = ", and before files that were put since" if standby.files_behind else ""
    return f"It is back in the state before {before}{files}."


def explained(content: dict[str, Any], overrun: str) -> dict[str, Any]:
    """The content of a reply whose code was interrupted, with the reason why."""
    if content.get("ename") != "KeyboardInterrupt" or content.get("evalue"):
        return content
    return {**content, "evalue": f"the cell {overrun}"}
