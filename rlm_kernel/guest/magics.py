"""Magics that a notebook has beside IPython's own, and those that cannot work in a sandbox."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from IPython.core import page
from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython
from IPython.display import Javascript, clear_output, display

from rlm_kernel.guest.export import export

NO_COMMANDS = "there are no subprocesses in this sandbox, so no commands can be run"
NO_INSTALLATION = (
    "nothing can be installed into a running session; what it needs is named before it starts "
    "(--preload)"
)
NO_EDITOR = "no editor reaches the files of this sandbox; use %load and %%writefile"
NO_CONNECTION = (
    "the key of its connection is kept from the sandbox; it is in the connection file, where the "
    "kernel was started"
)

SCRIPTS = ("bash", "perl", "pypy", "python", "python2", "python3", "ruby", "sh")
REFUSED = {
    "line": {
        **dict.fromkeys(("man", "qtconsole"), NO_COMMANDS),
        **dict.fromkeys(("pip", "uv", "conda", "mamba", "micromamba"), NO_INSTALLATION),
        **dict.fromkeys(("edit", "ed"), NO_EDITOR),
        "connect_info": NO_CONNECTION,
    },
    "cell": dict.fromkeys((*SCRIPTS, "script"), NO_COMMANDS),
}
"""Magics that only say why they do nothing."""

INSTALLATION = re.compile(r"\s*(\S*python\S*\s+-m\s+)?(pip3?|conda|mamba|micromamba|uv)\s")


def register(shell: Any) -> None:
    """Makes these the shell's magics, over IPython's of the same names."""
    add = shell.magics_manager.register_function
    for name, function in OWN.items():
        add(function, "line", name)
    for kind, magics in REFUSED.items():
        for name, reason in magics.items():
            add(_refusing(reason), kind, name)


def refusal(command: str) -> str:
    """Why a command cannot be run."""
    return NO_INSTALLATION if INSTALLATION.match(command) else NO_COMMANDS


def _refusing(reason: str) -> Callable[..., None]:
    def refuse(_line: str, _cell: str = "") -> None:
        raise UsageError(reason)

    return refuse


def _less(line: str) -> None:
    """Show a file in the pager; Python code in colours."""
    if not line:
        raise UsageError("Missing filename.")
    text = Path(line).read_text()
    shell: Any = get_ipython()
    page.page(shell.pycolorize(text) if line.endswith(".py") else text)


def _clear(_line: str) -> None:
    """Clear the output of this cell."""
    clear_output()


def _autosave(line: str) -> None:
    """Set the seconds between two saves of the notebook; 0 turns saving off."""
    try:
        seconds = int(line)
    except ValueError:
        raise UsageError(f"%autosave takes a number of seconds, not {line!r}") from None
    script = Javascript(f"IPython.notebook.set_autosave_interval({1000 * seconds})")
    display(script, include=["application/javascript"])
    print(f"Autosaving every {seconds} seconds" if seconds else "Autosave disabled")


def _notebook(line: str) -> None:
    """Write what has run in this session to a notebook file."""
    if not line.strip():
        raise UsageError("%notebook takes the name of the file to write")
    shell: Any = get_ipython()
    export(shell.history_manager, Path(line.strip()).expanduser())


OWN = {
    "autosave": _autosave,
    "clear": _clear,
    "less": _less,
    "more": _less,
    "notebook": _notebook,
}
"""The line magics that ipykernel has beside IPython's, and those of IPython's that need more than
a session has."""
