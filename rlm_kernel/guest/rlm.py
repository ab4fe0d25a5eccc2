"""What a session offers to the language model that works in it.

The agent's first cell calls `install`: it reads the context from its file and gives the model's
namespace `context`, the functions of `Functions`, the agent's tools, and the dict `answer`. After
each cell the agent evaluates `_rlm.answered()`, and learns so whether the cell gave an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from pathlib import Path
from types import ModuleType
from typing import Any

from rlm_kernel.guest.answering import Answering
from rlm_kernel.guest.documents import Documents
from rlm_kernel.guest.host import HostCallError, call
from rlm_kernel.guest.tools import tool_functions
from rlm_kernel.guest.values import pack, unpack_json

OWN_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
"""IPython's."""

_hooks: dict[str, Callable[[Any], None]] = {}
"""What `install` registered: once more in the same session, it takes the place of the last."""


class LLMQueryError(Exception):
    """A sub-call that gave no reply. The message says why."""


class TextTable(str):
    """Text that shows itself as it is, also as the value of a cell's last expression."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Functions(Answering):
    """The functions the model may call; `namespace` is where its variables live."""

    def __init__(
        self, namespace: dict[str, Any], host_call: Callable[[str, dict[str, Any]], Any]
    ) -> None:
        super().__init__(namespace)
        self._host_call = host_call
        self._offered: dict[str, Any] = {}

    def offer(
        self, *, sub_calls: bool, recursion: bool, tools: Sequence[Mapping[str, str]] = ()
    ) -> None:
        """Put into the namespace what the model may use."""
        names = ["FINAL", "FINAL_VAR", "SUBMIT", "SHOW_VARS"]
        names += ["llm_query", "llm_query_batched"] if sub_calls else []
        names += ["rlm_query"] if recursion else []
        self._offered = {name: getattr(self, name.lower()) for name in names}
        if sub_calls:
            self._offered["LLMQueryError"] = LLMQueryError
        self._offered |= tool_functions(tools, self._host_call)
        self._namespace.update(self._offered)
        self._namespace["answer"] = {"content": "", "ready": False}

    # What the model calls ---------------------------------------------------------------------

    def show_vars(self) -> TextTable:
        """The variables of this session: name, type and size or value of each."""
        lines = [f"{name}: {_sketch(value)}" for name, value in self._variables().items()]
        return TextTable("\n".join(lines) or "(no variables)")

    def llm_query(self, prompt: str, model: str | None = None) -> str:
        """Ask a language model. It sees `prompt` and nothing else.

        Raises LLMQueryError when there is no reply.
        """
        _check_prompt(prompt)
        return str(self._ask("llm_query", {"prompt": prompt, "model": model}))

    def llm_query_batched(
        self, prompts: Iterable[str], model: str | None = None
    ) -> list[str | LLMQueryError]:
        """Ask a language model many prompts at once; the replies come in the same order.

        In the place of a reply that could not be had stands an LLMQueryError that says why.
        """
        if isinstance(prompts, str):
            raise TypeError("llm_query_batched takes a list of prompts; for one, use llm_query")
        listed = list(prompts)
        for prompt in listed:
            _check_prompt(prompt)
        replies = self._ask("llm_query_batched", {"prompts": listed, "model": model})
        if not isinstance(replies, list) or len(replies) != len(listed):
            raise LLMQueryError(f"{len(listed)} replies were expected, not {replies!r:.200}")
        return [_reply_or_error(reply) for reply in replies]

    def rlm_query(self, task: str, context: Any = None) -> str:
        """Have another agent, with a session of its own, do `task` on `context`.

        Raises LLMQueryError when there is no answer.
        """
        _check_prompt(task)
        return str(self._ask("rlm_query", {"task": task, "context": pack(context)}))

    def before_cell(self, *_: Any) -> None:
        """An answer belongs to the cell that gives it; the functions keep their names."""
        self._namespace.update(self._offered)
        super().before_cell()

    def _known(self) -> Mapping[str, Any]:
        return self._variables()

    def _ask(self, name: str, args: dict[str, Any]) -> Any:
        try:
            return self._host_call(name, args)
        except HostCallError as error:
            raise LLMQueryError(error.evalue) from None

    def _variables(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self._namespace.items()
            if not (name.startswith("_") or name in OWN_NAMES or name in self._offered)
            and not isinstance(value, ModuleType)
        }


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
    """
    functions = Functions(shell.user_ns, call)
    shell.user_ns["_rlm"] = functions
    for path, form, names in files:
        shell.user_ns.update(dict.fromkeys(names, load(path, form)))
    functions.offer(sub_calls=sub_calls, recursion=recursion, tools=tools)
    for event, hook in (
        ("pre_run_cell", functions.before_cell),
        ("post_run_cell", functions.after_cell),
    ):
        if event in _hooks:
            shell.events.unregister(event, _hooks[event])
        shell.events.register(event, hook)
        _hooks[event] = hook


def load(path: str, form: str) -> Any:
    """The value in a file: `text` in UTF-8, `bytes`, `json` as `values` packs it, or `files`.

    The first three are read and removed: their bytes would count twice against the session's
    memory. `files` is a folder, whose files are read when they are asked for.
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
    return text if form == "text" else unpack_json(text)


def _check_prompt(prompt: object) -> None:
    if not isinstance(prompt, str):
        raise TypeError(f"a prompt must be a str, not {type(prompt).__name__}")


def _reply_or_error(reply: Any) -> str | LLMQueryError:
    """One of a batch crosses as {"ok": text} or {"error": reason}."""
    if isinstance(reply, dict) and "error" in reply:
        return LLMQueryError(str(reply["error"]))
    return str(reply.get("ok", "")) if isinstance(reply, dict) else str(reply)


def _sketch(value: Any) -> str:
    kind = type(value).__name__
    if value is None or isinstance(value, bool | int | float | complex):
        return f"{kind} = {value!r}"
    if isinstance(value, str):
        shown = f" = {value!r}" if len(value) <= 60 else ""
        return f"{kind} of {len(value):,} characters{shown}"
    if isinstance(value, Sized) and not isinstance(value, type):
        return f"{kind} of {len(value):,} items"
    return kind
