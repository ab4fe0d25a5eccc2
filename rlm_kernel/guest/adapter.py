"""What a session offers to agents of other libraries: their functions, their data, their answers.

An adapter's first cell calls `install`. After each cell the agent evaluates `_rlm.answered()`, as
for a run of our own, and gets a report: JSON with what the cell submitted, answered and showed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rlm_kernel.guest.answer_variable import REFUSED, AnswerVariable, claimed, failures_told
from rlm_kernel.guest.answering import Answered
from rlm_kernel.guest.host import HostCall, HostCallError, call
from rlm_kernel.guest.host_functions import as_known, host_function
from rlm_kernel.guest.offering import Offering
from rlm_kernel.guest.plain_data import plain
from rlm_kernel.guest.rlm import load
from rlm_kernel.guest.sketches import short_repr

REPORT_PATH = "/tmp/rlm/report"
"""Where a report is that is too long for a message; the report says so in its place."""

_REPORT_MAX = 1 << 20


class Submitted(BaseException):
    """Ends the cell that called SUBMIT, whatever `except Exception` stands around it."""


class Adapter:
    """The session of another library's agent; `namespace` is where its variables live."""

    def __init__(self, namespace: dict[str, Any], host_call: HostCall = call) -> None:
        self._namespace = namespace
        self._host_call = host_call
        self._offering = Offering(namespace)
        self._answer = AnswerVariable(namespace)
        self._fixed: dict[str, Any] = {}
        self._digests: dict[str, str] = {}
        self._fields: list[str] | None = None
        self._submission: dict[str, Any] | None = None
        self._has_answer = False
        self._in_cell = False
        self._given: str | None = None
        self._value: Any = None

    def offer(
        self,
        functions: Sequence[Mapping[str, str]],
        *,
        submits: bool = False,
        fields: Sequence[str] | None = None,
        answers: bool = False,
    ) -> None:
        """Put functions into the namespace, in the place of those offered before.

        `submits` adds SUBMIT with these fields, `answers` the dict `answer` and SHOW_VARS.
        """
        offered: dict[str, Any] = {each["name"]: self._function(each) for each in functions}
        self._fields = None if fields is None else list(fields)
        if submits:
            offered["SUBMIT"] = self.submit
        if answers and not self._has_answer:
            self._has_answer = True
            self.forget_answer()
        if self._has_answer:
            offered["SHOW_VARS"] = self.show_vars
        self._offering.put(offered)

    def assign(self, name: str, path: str, form: str, digest: str, *, fixed: bool = False) -> None:
        """Set a variable to the value in a file, unless it was set to the same before.

        One that is `fixed` has this value again before each cell.
        """
        values = self._fixed if fixed else self._namespace
        if self._digests.get(name) != digest or name not in values:
            values[name] = load(path, form)
            self._digests[name] = digest
        self._namespace[name] = values[name]
        Path(path).unlink(missing_ok=True)  # its bytes would count against the session's memory

    def alias(self, name: str, other: str) -> None:
        """Give a fixed variable a second name."""
        self._fixed[name] = self._namespace[name] = self._fixed[other]

    def forget_answer(self) -> None:
        """Begin another question."""
        self._given = None
        self._answer.begin()

    # What the model calls ---------------------------------------------------------------------

    def submit(self, *args: Any, **kwargs: Any) -> None:
        """Give the outputs of the task, which ends the cell."""
        names = ["output"] if self._fields is None else self._fields
        given = dict(zip(names, args, strict=False))
        twice, unknown = given.keys() & kwargs.keys(), kwargs.keys() - set(names)
        given |= kwargs
        if len(args) > len(names) or twice or unknown or given.keys() != set(names):
            raise TypeError(f"SUBMIT takes {', '.join(names)}: each of them once, and nothing else")
        self._submission = plain({name: given[name] for name in names})
        raise Submitted

    def show_vars(self) -> str:
        """The variables of this session with their types."""
        kinds = {name: type(value).__name__ for name, value in self._offering.variables().items()}
        kinds.pop("answer", None)
        return f"Available variables: {kinds}" if kinds else "No variables created yet."

    # What the agent calls ---------------------------------------------------------------------

    def answered(self) -> Answered:
        """The report on the last cell."""
        variables = self._offering.variables() if self._has_answer else {}
        report = {
            "submission": self._submission,
            "answer": self._given,
            "value": self._value,
            "variables": {name: short_repr(value) for name, value in variables.items()},
        }
        text = json.dumps(report)
        if len(text) > _REPORT_MAX:
            Path(REPORT_PATH).parent.mkdir(parents=True, exist_ok=True)
            Path(REPORT_PATH).write_text(text)
            text = json.dumps({"in_file": True})
        return Answered(text, "answer")

    # Around cells -----------------------------------------------------------------------------

    def before_cell(self, *_: Any) -> None:
        """What a cell gives is its own; the functions keep their names."""
        self._in_cell = True
        self._submission = self._given = self._value = None
        self._offering.renew()
        self._namespace.update(self._fixed)
        if self._has_answer:
            self._answer.restore()

    def after_cell(self, result: Any) -> None:
        """A cell that raised gives no answer.

        There is no result of one that was interrupted. An empty cell, by which the agent asks about
        the last one, has an end without a beginning.
        """
        if not self._in_cell:
            return
        self._in_cell = False
        succeeded = result is not None and result.success
        if not isinstance(getattr(result, "error_in_exec", None), Submitted):
            self._submission = None
        if self._has_answer:
            with failures_told():
                self._given = self._answer_of(succeeded)
        # Where there are fields, a loop reads what was shown: the value is in that.
        if succeeded and self._fields is None:
            with suppress(Exception):  # the value's own code; the loop reads what was shown
                self._value = plain(result.result)

    def _answer_of(self, succeeded: bool) -> str | None:
        claim = self._answer.claim()
        if claim is None:
            return None
        if not succeeded:
            print(REFUSED)
            return None
        return str(claimed(claim))

    def _function(self, described: Mapping[str, str]) -> Callable[..., Any]:
        def ask(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            arguments = {"args": plain(args), "kwargs": plain(kwargs)}
            return self._host_call(described["name"], arguments)

        return host_function(described, ask, _as_raised)


def install(shell: Any, offer: str) -> None:
    """Make the session of `shell` (IPython's) ready, or change what it offers.

    `offer` is the arguments of `Adapter.offer`, as JSON.
    """
    adapter = shell.user_ns.get("_rlm")
    if not isinstance(adapter, Adapter):
        shell.user_ns["_rlm"] = adapter = Adapter(shell.user_ns)
        shell.events.register("pre_run_cell", adapter.before_cell)
        shell.events.register("post_run_cell", adapter.after_cell)
        shell.set_custom_exc((Submitted,), _show_nothing)
    adapter.offer(**json.loads(offer))


def _as_raised(error: HostCallError) -> Exception:
    """The exception of the host as what it was there, where Python has a class of this name."""
    return as_known(error, lambda known: known(error.evalue), RuntimeError(str(error)))


def _show_nothing(shell: Any, kind: type, error: BaseException, trace: Any, **_: Any) -> None:
    """A submission is no error."""
