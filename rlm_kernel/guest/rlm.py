"""What a session offers to the language model that works in it.

The agent's first cell calls `install`: it reads the context from its file and gives the model's
namespace `context`, the functions of `Functions`, the agent's tools, and the dict `answer`. After
each cell the agent evaluates `_rlm.answered()`, and learns so whether the cell gave an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlm_kernel.guest.answering import Answering
from rlm_kernel.guest.documents import Documents
from rlm_kernel.guest.host import HostCall, acall, call
from rlm_kernel.guest.offering import Offering
from rlm_kernel.guest.queries import Queries
from rlm_kernel.guest.sketches import sketch
from rlm_kernel.guest.tools import tool_functions
from rlm_kernel.guest.values import unpack_json

_installed: list[Functions] = []
_hooks: dict[str, Callable[[Any], None]] = {}
"""What `install` registered: once more in the same session, it takes the place of the last."""


class TextTable(str):
    """Text that shows itself as it is, also as the value of a cell's last expression."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Functions(Answering):
    """The functions the model may call; `namespace` is where its variables live."""

    def __init__(self, namespace: dict[str, Any], host_call: HostCall) -> None:
        super().__init__(namespace)
        self._host_call = host_call
        self._queries = Queries(namespace, host_call, acall)
        self._offering = Offering(namespace)

    def offer(
        self, *, sub_calls: bool, recursion: bool, tools: Sequence[Mapping[str, str]] = ()
    ) -> None:
        """Put into the namespace what the model may use.

        Without `recursion` the functions that start agents ask a model instead.
        """
        names = ["FINAL", "FINAL_VAR", "SUBMIT", "SHOW_VARS"]
        offered = {name: getattr(self, name.lower()) for name in names}
        if sub_calls:
            self._queries.recursion = recursion
            offered |= self._queries.offered
        self._offering.put(offered | tool_functions(tools, self._host_call))
        self._answer.begin()

    def withdraw(self) -> None:
        """Take back what was offered, but for names that have other values now."""
        self._offering.withdraw()

    def handed(self, key: str) -> Any:
        """What was to be found under `key` in copies of this session; else its `context`."""
        return self._queries.handed[key][1] if key else self._namespace.get("context")

    # What the model calls ---------------------------------------------------------------------

    def show_vars(self) -> TextTable:
        """The variables of this session: name, type and size or value of each."""
        lines = [f"{name}: {sketch(value)}" for name, value in self._known().items()]
        return TextTable("\n".join(lines) or "(no variables)")

    def before_cell(self, *_: Any) -> None:
        """An answer belongs to the cell that gives it; the functions keep their names."""
        self._offering.renew()
        super().before_cell()

    def _known(self) -> Mapping[str, Any]:
        return self._offering.variables()


def install(
    shell: Any,
    files: Sequence[tuple[str, str, Sequence[str]]] = (),
    *,
    sub_calls: bool,
    recursion: bool,
    tools: Sequence[Mapping[str, str]] = (),
) -> None:
    """Make the session of `shell` (IPython's) ready for a model, as the module says.

    Each of `files` is a path, its form (see `load`), and the variables that are to have its value.
    Once more in the same session, or in a copy of one, it takes the place of the last.
    """
    loaded = [(names, load(path, form)) for path, form, names in files]
    for former in _installed:
        former.withdraw()
    functions = Functions(shell.user_ns, call)
    _installed[:] = [functions]
    shell.user_ns["_rlm"] = functions
    for names, value in loaded:
        shell.user_ns.update(dict.fromkeys(names, value))
    del loaded
    functions.offer(sub_calls=sub_calls, recursion=recursion, tools=tools)
    for event, hook in (
        ("pre_run_cell", functions.before_cell),
        ("post_run_cell", functions.after_cell),
    ):
        if event in _hooks:
            shell.events.unregister(event, _hooks[event])
        shell.events.register(event, hook)
        _hooks[event] = hook


def write_handed(key: str, path: str) -> None:
    """Write into a file what the session that this is a copy of kept under `key`: JSON."""
    (former,) = _installed
    Path(path).write_text(former.handed(key), encoding="utf-8")


def load(path: str, form: str) -> Any:
    """The value in a file: `text` in UTF-8, `bytes`, `json` as `values` packs it, or `files`.

    The first three are read and removed: their bytes would count twice against the session's
    memory. `files` is a folder, whose files are read when they are asked for. For `handed` the file
    has the key under which the session that this is a copy of kept the value.
    """
    if form == "files":
        return Documents(path)
    data = Path(path).read_bytes()
    Path(path).unlink()
    return value_of(data, form)


def value_of(data: bytes, form: str) -> Any:
    """The value of a file's bytes, which are those of a tar archive where the form is `files`."""
    if form == "files":
        return Documents.of_archive(data)
    if form == "bytes":
        return data
    text = data.decode("utf-8", "surrogatepass")
    if form == "handed":
        (former,) = _installed
        return former.handed(text)
    return text if form == "text" else unpack_json(text)
