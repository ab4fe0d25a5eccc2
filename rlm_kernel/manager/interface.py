"""The manager's interface as its description tells of it."""

from __future__ import annotations

from rlm_kernel import errors
from rlm_kernel.http.openapi import Interface

INTERFACE = Interface(
    title="rlm-kernel manager",
    about="Sessions of sandboxed Python, each a Jupyter kernel too. Bodies are read as JSON "
    "whatever their content type. Jupyter Server's own interface is under /api.",
    segments=((r"([^/]+)", "{session_id}"), (r"(|.*/)", "{folder}/"), (r"(.+)", "{path}")),
    parameters={
        "session_id": "The id of a session, which is that of its kernel.",
        "folder": "A folder, relative to where the session's code runs, or absolute where it "
        "begins with a slash. It may hold slashes, and be empty.",
        "path": "A path, relative to where the session's code runs, or absolute where it begins "
        "with a slash. It may hold slashes.",
    },
    failure=errors.ManagerError,
)
