"""dspy's `CodeInterpreter` over a session. Importing this imports dspy."""

from __future__ import annotations

import keyword
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar, cast

from dspy.primitives.code_interpreter import CodeExecutionError, CodeInterpreterError, FinalOutput
from dspy.utils.callback import with_callbacks

from rlm_kernel.agent.adapters.blocking_session import BlockingSession, CellRecord
from rlm_kernel.agent.adapters.host_functions import installation, invoke
from rlm_kernel.agent.adapters.variables import GivenVariables
from rlm_kernel.agent.factory import SidecarREPLFactory
from rlm_kernel.errors import ConfigurationError, RLMKernelError, SandboxClosed

Method = TypeVar("Method", bound=Callable[..., Any])

_SYNTAX_ERRORS = ("SyntaxError", "IndentationError", "TabError")
_RESERVED = frozenset({"SUBMIT", "__builtins__", "get_ipython", "_rlm"})


def _observed(method: Method) -> Method:
    """Tells dspy's callbacks of each call."""
    return cast(Method, with_callbacks(method))


class SessionInterpreter:
    """One session behind dspy's protocol.

    `tools` are functions of this process that the code can call, by position or by name; they run
    in the thread that executes, in its context. `output_fields` are what SUBMIT takes; dspy sets
    both. Where there are fields, `execute` returns what the code showed; where there are none, the
    value of its last expression, else what it printed.

    A variable is set when it is new or has changed, so what the code makes of it is kept.
    """

    def __init__(
        self,
        sessions: SidecarREPLFactory,
        *,
        tools: Mapping[str, Callable[..., Any]] | None = None,
        output_fields: list[dict[str, Any]] | None = None,
        cell_timeout_s: float = 600.0,
        output_limit: int = 1_000_000,
        callbacks: Sequence[Any] = (),
    ) -> None:
        self.callbacks = list(callbacks)
        self.tools = dict(tools or {})
        self.output_fields = output_fields
        self._sessions = sessions
        self._cell_timeout_s = cell_timeout_s
        self._output_limit = output_limit
        self._session: BlockingSession | None = None
        self._ended = False
        self._offered: str | None = None
        self._given = GivenVariables()
        self._busy = threading.Lock()

    @_observed
    def start(self) -> None:
        """Open the session, unless it is open. Raises CodeInterpreterError."""
        if self._ended:
            raise CodeInterpreterError("the interpreter has ended; make another one")
        if self._session is None:
            try:
                self._session = BlockingSession(self._sessions, self._output_limit)
            except RLMKernelError as error:
                self._fail(f"there is no session: {error}", error)

    @_observed
    def execute(self, code: str, variables: dict[str, Any] | None = None) -> Any:
        """Run code in the session, after setting variables.

        Raises SyntaxError and CodeExecutionError for what the code does wrong, both with what it
        had printed by then; CodeInterpreterError where the session cannot be used any more.
        """
        if not self._busy.acquire(blocking=False):
            raise CodeInterpreterError("the interpreter already executes code")
        try:
            if self._session is None:
                self.start()
            assert self._session is not None
            self._prepare(self._session, variables or {})
            return self._outcome(self._session, self._run(self._session, code))
        except ConfigurationError as error:  # a variable that cannot go in: the session is well
            raise CodeInterpreterError(str(error)) from error
        except RLMKernelError as error:
            self._fail(str(error), error)
        finally:
            self._busy.release()

    @_observed
    def invoke_tool(self, tool_name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Call one of `tools`, for the code."""
        if tool_name not in self.tools:
            raise NameError(f"there is no tool {tool_name!r}")
        return invoke(self.tools[tool_name], args, kwargs)

    @_observed
    def shutdown(self) -> None:
        """End the session, and what it runs. Idempotent."""
        self._ended = True
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def __call__(self, code: str, variables: dict[str, Any] | None = None) -> Any:
        """As `execute`."""
        return self.execute(code, variables)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()

    def _prepare(self, session: BlockingSession, variables: Mapping[str, Any]) -> None:
        """Bring what the session does not have yet: functions, fields of SUBMIT, variables."""
        _check_names(self.tools, _RESERVED, "tool")
        _check_names(variables, _RESERVED | self.tools.keys(), "variable")
        changed, offer = self._given.changed(variables), self._offer()
        lines = [each.assignment() for each in changed]
        if offer != self._offered:
            lines.insert(0, offer)
        if lines:
            session.prepare({each.path: each.file for each in changed}, "\n".join(lines))
        self._offered = offer
        self._given.given(changed, variables)

    def _offer(self) -> str:
        fields = self.output_fields
        names = None if fields is None else [str(each["name"]) for each in fields]
        return installation(self.tools, submits=True, fields=names)

    def _run(self, session: BlockingSession, code: str) -> CellRecord:
        record = session.execute(code, timeout_s=self._cell_timeout_s, on_call=self.invoke_tool)
        if record.result.error is not None and record.result.error[0] == SandboxClosed.__name__:
            self._fail("the session is closed")
        if record.result.state == "lost":
            self._fail("the session had to be started anew, and its variables are gone")
        if record.result.state == "rolled_back":
            self._offered = None  # the copy may be from before they came
            self._given.forget()
        return record

    def _outcome(self, session: BlockingSession, record: CellRecord) -> Any:
        if record.result.error is None:
            return self._value(record)
        ename = record.result.error[0]
        if ename == "Submitted":
            return FinalOutput(session.report().get("submission"))
        if ename in _SYNTAX_ERRORS:
            raise SyntaxError(self._failure(record))
        raise CodeExecutionError(self._failure(record))

    def _value(self, record: CellRecord) -> Any:
        if self.output_fields is None and record.report.get("value") is not None:
            return record.report["value"]
        return record.shown.rstrip("\n") or None

    def _failure(self, record: CellRecord) -> str:
        assert record.result.error is not None
        error = ": ".join(part for part in record.result.error if part)
        return "\n".join(
            [error, *record.notes, *([record.shown.rstrip("\n")] if record.shown else [])]
        )

    def _fail(self, message: str, cause: Exception | None = None) -> NoReturn:
        self.shutdown()
        raise CodeInterpreterError(message) from cause


def _check_names(names: Mapping[str, Any], reserved: frozenset[str] | set[str], what: str) -> None:
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name) or name in reserved:
            raise CodeInterpreterError(f"{name!r} cannot be the name of a {what}")
