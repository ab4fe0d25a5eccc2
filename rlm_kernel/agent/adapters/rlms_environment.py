"""The official library's environment over a session. Importing this imports the library."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any, Self

from rlm.core.types import REPLResult
from rlm.environments.base_env import NonIsolatedEnv, extract_tool_value, validate_custom_tools

from rlm_kernel.agent.adapters.blocking_session import BlockingSession, CellRecord
from rlm_kernel.agent.adapters.host_functions import installation, invoke
from rlm_kernel.agent.adapters.rlms_calls import Address, SubCall, SubCalls
from rlm_kernel.agent.adapters.variables import Variable
from rlm_kernel.agent.factory import SidecarREPLFactory
from rlm_kernel.errors import AgentError

_REPLACED = ("lost", "rolled_back")


class SessionEnvironment(NonIsolatedEnv):  # type: ignore[misc]  # the library has no types
    """One session for one run of the library, or for all of a persistent one.

    It has whatever the library can ask of an environment: versioned contexts and histories,
    compaction, sub-calls, recursion and custom tools; functions among these are called here, for
    the code. Options that only other environments know are accepted and ignored.
    """

    def __init__(
        self,
        sessions: SidecarREPLFactory,
        *,
        cell_timeout_s: float = 600.0,
        output_limit: int = 1_000_000,
        lm_handler_address: Address | None = None,
        context_payload: Any = None,
        setup_code: str | None = None,
        persistent: bool = False,
        depth: int = 1,
        subcall_fn: SubCall | None = None,
        custom_tools: dict[str, Any] | None = None,
        custom_sub_tools: dict[str, Any] | None = None,
        compaction: bool = False,
        max_concurrent_subcalls: int = 4,
        **others: Any,
    ) -> None:
        super().__init__(
            persistent=persistent,
            depth=depth,
            max_concurrent_subcalls=max_concurrent_subcalls,
            **others,
        )
        validate_custom_tools(custom_tools)
        self.custom_tools = custom_tools or {}
        self.custom_sub_tools = self.custom_tools if custom_sub_tools is None else custom_sub_tools
        self.compaction = compaction
        self._session: BlockingSession | None = None
        self._sessions = sessions
        self._cell_timeout_s = cell_timeout_s
        self._output_limit = output_limit
        self._calls = SubCalls(lm_handler_address, depth, subcall_fn, max_concurrent_subcalls)
        self._variables: dict[str, Variable] = {}
        self._aliases: dict[str, str] = {}
        self._context_count = self._history_count = 0
        self._compacted: list[Any] = []
        self._busy = threading.Lock()
        try:
            self._begin(context_payload, setup_code)
        except BaseException:
            self.cleanup()
            raise

    def setup(self) -> None:
        """Open the session and give it what the library promises to models. Raises ManagerError."""
        self._session = BlockingSession(self._sessions, self._output_limit)
        tools = {name: extract_tool_value(entry) for name, entry in self.custom_tools.items()}
        self._functions: dict[str, Callable[..., Any]] = {
            "llm_query": self._calls.llm_query,
            "llm_query_batched": self._calls.llm_query_batched,
            "rlm_query": self._calls.rlm_query,
            "rlm_query_batched": self._calls.rlm_query_batched,
            **{name: tool for name, tool in tools.items() if callable(tool)},
        }
        data = {name: tool for name, tool in tools.items() if not callable(tool)}
        self._variables = {name: Variable.of(name, value) for name, value in data.items()}
        if self.compaction:
            self._variables["history"] = Variable.of("history", [])
        self._furnish()

    def load_context(self, context_payload: Any) -> None:
        """Define `context`. It may be whatever is plain data, of any size."""
        self.add_context(context_payload, 0)

    def execute_code(self, code: str) -> REPLResult:
        """Run code. What goes wrong in it is in the result. Raises ManagerError."""
        if not self._busy.acquire(blocking=False):
            raise AgentError("the environment already executes code")
        try:
            self._calls.taken = []
            record = self._open_session.execute(
                code, timeout_s=self._cell_timeout_s, on_call=self._call
            )
            if record.result.state in _REPLACED:
                self._furnish()
            return self._result(record)
        finally:
            self._busy.release()

    def cleanup(self) -> None:
        """End the session, and what it runs. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup()

    # What makes an environment persistent ---------------------------------------------------------

    def update_handler_address(self, address: Address) -> None:
        """Another question begins, whose sub-calls go to `address`."""
        self._calls.address = address
        self._open_session.prepare({}, "_rlm.forget_answer()")

    def add_context(self, context_payload: Any, context_index: int | None = None) -> int:
        """Define `context_N`, the next one unless told; `context` is the first. Returns N."""
        index = self._context_count if context_index is None else context_index
        self._define("context", index, context_payload)
        self._context_count = max(self._context_count, index + 1)
        return index

    def get_context_count(self) -> int:
        """How many contexts there are."""
        return self._context_count

    def add_history(self, message_history: list[Any], history_index: int | None = None) -> int:
        """Define `history_N`, the next one unless told; `history` is the first. Returns N."""
        index = self._history_count if history_index is None else history_index
        self._define("history", index, message_history, aliased=not self.compaction)
        self._history_count = max(self._history_count, index + 1)
        return index

    def get_history_count(self) -> int:
        """How many histories there are."""
        return self._history_count

    def append_compaction_entry(self, entry: Any) -> None:
        """Add to `history`, which holds the whole run where the library shortens it."""
        if self.compaction:
            self._compacted.append(copy.deepcopy(entry))
            self._give({"history": self._compacted})

    @property
    def _open_session(self) -> BlockingSession:
        if self._session is None:
            raise AgentError("the environment was cleaned up")
        return self._session

    def _begin(self, context: Any, setup_code: str | None) -> None:
        self.setup()
        if context is not None:
            self.load_context(context)
        if setup_code:
            self.execute_code(setup_code)

    def _define(self, family: str, index: int, value: Any, *, aliased: bool = True) -> None:
        name = f"{family}_{index}"
        if index == 0 and aliased:
            self._aliases[family] = name
        self._give({name: value})

    def _give(self, values: dict[str, Any]) -> None:
        given = [Variable.of(name, value) for name, value in values.items()]
        self._variables |= {each.name: each for each in given}
        self._bring(given, [])

    def _furnish(self) -> None:
        """Bring all there is; a session that has some of it keeps that."""
        offer = installation(self._functions, answers=True)
        self._bring(list(self._variables.values()), [offer])

    def _bring(self, variables: list[Variable], lines: list[str]) -> None:
        lines += [each.assignment(fixed=True) for each in variables]
        lines += [f"_rlm.alias({name!r}, {other!r})" for name, other in self._aliases.items()]
        files = {each.path: each.file for each in variables}
        self._open_session.prepare(files, "\n".join(lines))

    def _call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if name not in self._functions:
            raise NameError(f"there is no function {name!r}")
        return invoke(self._functions[name], args, kwargs)

    def _result(self, record: CellRecord) -> REPLResult:
        failed = record.result.error is not None
        report = self._open_session.report() if failed else record.report
        answer = report.get("answer")
        return REPLResult(
            stdout=record.stdout,
            stderr="\n".join([*([record.stderr] if record.stderr else []), *record.notes]),
            locals=dict(report.get("variables", {})),
            execution_time=record.result.duration_s,
            rlm_calls=list(self._calls.taken),
            final_answer=answer if isinstance(answer, str) and not failed else None,
        )
