"""What a session offers to the language model that works in it.

The agent's first cell calls `install`: it reads the context from its file and gives the model's
namespace `context`, the functions of `Functions`, and the dict `answer`. After each cell the agent
evaluates `_rlm.answered()`, and learns so whether the cell gave an answer.
"""

from __future__ import annotations

import ast
import builtins
import json
from collections.abc import Callable, Iterable, Mapping, Sized
from pathlib import Path
from types import ModuleType
from typing import Any

from rlm_kernel.guest.host import HostCallError, call
from rlm_kernel.guest.values import pack, unpack

ANSWER_TYPE = "application/vnd.rlm-kernel.answer+json"
_OWN_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
_hooks: dict[str, Callable[[Any], None]] = {}
"""What `install` registered: once more in the same session, it takes the place of the last."""


class LLMQueryError(Exception):
    """A sub-call that gave no reply. The message says why."""


class TextTable(str):
    """Text that shows itself as it is, also as the value of a cell's last expression."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Answered:
    """Whether the last cell gave an answer: the agent reads the JSON form."""

    def __init__(self, text: str | None, source: str = "") -> None:
        self._state = {"answered": text is not None, "text": text, "source": source}

    @property
    def state(self) -> dict[str, Any]:
        """`answered`, and then its `text` and its `source`."""
        return self._state

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": "answered", ANSWER_TYPE: self._state}


class Functions:
    """The functions the model may call; `namespace` is where its variables live."""

    def __init__(
        self, namespace: dict[str, Any], host_call: Callable[[str, dict[str, Any]], Any]
    ) -> None:
        self._namespace = namespace
        self._host_call = host_call
        self._given: tuple[str, Any] | None = None
        self._offered: dict[str, Any] = {}

    def offer(self, *, sub_calls: bool, recursion: bool) -> None:
        """Put into the namespace what the model may use."""
        names = ["FINAL", "FINAL_VAR", "SHOW_VARS"]
        names += ["llm_query", "llm_query_batched"] if sub_calls else []
        names += ["rlm_query"] if recursion else []
        self._offered = {name: getattr(self, name.lower()) for name in names}
        self._offered["LLMQueryError"] = LLMQueryError
        self._namespace.update(self._offered)
        self._namespace["answer"] = {"content": "", "ready": False}

    # What the model calls ---------------------------------------------------------------------

    def final(self, value: Any) -> None:
        """Give `value` as the answer to the question."""
        if value is None:
            raise ValueError("FINAL got None: there is no answer in it")
        self._given = ("FINAL", value)

    def final_var(self, name: Any) -> None:
        """Give the value of the variable called `name` as the answer to the question."""
        value = self._variable(name.strip(" '\"`")) if isinstance(name, str) else name
        if value is None:
            raise ValueError(f"FINAL_VAR({name!r}): the value is None, there is no answer in it")
        self._given = ("FINAL_VAR", value)

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

    # What the agent calls ---------------------------------------------------------------------

    def answered(self) -> Answered:
        """The answer that the last cell gave, if it did."""
        if self._given is not None:
            source, value = self._given
            return Answered(_answer_text(value), source)
        claim = self._claim()
        content = "" if claim is None else _answer_text(claim)
        return Answered(content or None, "answer")

    def text_final(self, argument: str) -> None:
        """Take `FINAL(argument)` that the model wrote outside of any code.

        What computes with the session's variables is evaluated, a string loses its quotes, and
        all else is the answer as it stands.
        """
        self._given = ("text", _unquoted(argument))
        names = _names(argument)
        known = names <= self._namespace.keys() | vars(builtins).keys()
        if known and names & self._variables().keys():
            value = eval(argument.strip(), self._namespace)
            if not callable(value):
                self._given = ("FINAL", value)

    # Around cells -----------------------------------------------------------------------------

    def before_cell(self, *_: Any) -> None:
        """An answer belongs to the cell that gives it; the functions keep their names."""
        self._given = None
        self._namespace.update(self._offered)
        answer = self._claim()
        if answer is not None:
            self._namespace["answer"] = {**answer, "ready": False}

    def after_cell(self, result: Any) -> None:
        """A cell that raised gives no answer, and neither does an empty claim."""
        claim = self._claim()
        if not result.success and (claim is not None or self._given is not None):
            print("The answer was refused, because the cell raised an exception.")
        elif claim is not None and self._given is None and not _answer_text(claim):
            print("There is no answer yet: answer['ready'] is set, but answer['content'] is empty.")

    def _claim(self) -> Mapping[str, Any] | None:
        """The variable `answer` where it says that it is ready."""
        answer = self._namespace.get("answer")
        is_claim = isinstance(answer, Mapping) and _is_true(answer.get("ready"))
        return answer if is_claim else None

    def _ask(self, name: str, args: dict[str, Any]) -> Any:
        try:
            return self._host_call(name, args)
        except HostCallError as error:
            raise LLMQueryError(error.evalue) from None

    def _variable(self, name: str) -> Any:
        if name not in self._namespace:
            known = ", ".join(self._variables()) or "none"
            raise NameError(f"there is no variable {name!r}; the variables are: {known}")
        return self._namespace[name]

    def _variables(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self._namespace.items()
            if not (name.startswith("_") or name in _OWN_NAMES or name in self._offered)
            and not isinstance(value, ModuleType)
        }


def install(shell: Any, path: str, form: str, *, sub_calls: bool, recursion: bool) -> None:
    """Make the session of `shell` (IPython's) ready for a model, as the module says."""
    functions = Functions(shell.user_ns, call)
    shell.user_ns["_rlm"] = functions
    shell.user_ns["context"] = load(path, form)
    Path(path).unlink()  # its bytes would count twice against the session's memory
    functions.offer(sub_calls=sub_calls, recursion=recursion)
    for event, hook in (
        ("pre_run_cell", functions.before_cell),
        ("post_run_cell", functions.after_cell),
    ):
        if event in _hooks:
            shell.events.unregister(event, _hooks[event])
        shell.events.register(event, hook)
        _hooks[event] = hook


def load(path: str, form: str) -> Any:
    """The value in a context file: `text` in UTF-8, `bytes`, or `json` as `values` packs it."""
    return value_of(Path(path).read_bytes(), form)


def value_of(data: bytes, form: str) -> Any:
    """The value of a context file's bytes."""
    if form == "bytes":
        return data
    text = data.decode("utf-8", "surrogatepass")
    return text if form == "text" else unpack(json.loads(text))


def _check_prompt(prompt: object) -> None:
    if not isinstance(prompt, str):
        raise TypeError(f"a prompt must be a str, not {type(prompt).__name__}")


def _reply_or_error(reply: Any) -> str | LLMQueryError:
    """One of a batch crosses as {"ok": text} or {"error": reason}."""
    if isinstance(reply, dict) and "error" in reply:
        return LLMQueryError(str(reply["error"]))
    return str(reply.get("ok", "")) if isinstance(reply, dict) else str(reply)


def _answer_text(value: Any) -> str:
    if isinstance(value, Mapping) and "ready" in value:
        value = value.get("content")
        return "" if value is None else str(value)
    return str(value)


def _is_true(flag: Any) -> bool:
    return flag.strip().lower() in ("true", "yes", "1") if isinstance(flag, str) else bool(flag)


def _names(text: str) -> set[str]:
    """The names that `text` needs where it is a Python expression; none where it is not."""
    try:
        nodes = list(ast.walk(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and _binds(node)}
    return used - bound


def _binds(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _unquoted(text: str) -> str:
    try:
        value = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    return value if isinstance(value, str) else text


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
