"""`RLM`: the official library's class, over `RLM_REPL`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rlm_kernel.agent.blocking import run_blocking
from rlm_kernel.agent.environment import REPLFactory
from rlm_kernel.agent.events import Event
from rlm_kernel.agent.ledger.budget import Budget
from rlm_kernel.agent.official.arguments import (
    check_environment,
    check_errors,
    check_sub_tools,
    check_wording,
    compaction_of,
    levels_below,
    models_of,
    system_prompt_of,
    tools_of,
)
from rlm_kernel.agent.official.callbacks import (
    Callbacks,
    IterationComplete,
    IterationStart,
    SubCallComplete,
    SubCallStart,
)
from rlm_kernel.agent.official.chat_completion import RLMChatCompletion, UsageSummary
from rlm_kernel.agent.official.failure_streaks import FailureStreaks
from rlm_kernel.agent.official.run_logger import Entry, RunLogger, log_run
from rlm_kernel.agent.repl import RLM_REPL
from rlm_kernel.agent.setting import RunOptions
from rlm_kernel.agent.trajectory.recorder import Recorder

_NO_QUESTION = "The question is in `context` itself, or the task. Find it there, and answer it."


class RLM:
    """Takes what `rlm.RLM` of the official library takes, and works in sessions of a manager.

    What an argument means here is in docs/agent.md. One that cannot be honoured, and a backend, an
    environment or a limit that is none, raises ConfigurationError; none is left out of account.
    `repl_factory` makes the sessions: by default on the manager at WASM_MANAGER_SERVICE_URL.
    """

    def __init__(
        self,
        backend: str = "openai",
        backend_kwargs: Mapping[str, Any] | None = None,
        environment: str = "local",
        environment_kwargs: Mapping[str, Any] | None = None,
        depth: int = 0,
        max_depth: int = 1,
        max_iterations: int = 30,
        max_budget: float | None = None,
        max_timeout: float | None = None,
        max_tokens: int | None = None,
        max_errors: int | None = None,
        custom_system_prompt: str | None = None,
        other_backends: Sequence[str] | None = None,
        other_backend_kwargs: Sequence[Mapping[str, Any]] | None = None,
        logger: RunLogger | None = None,
        verbose: bool = False,
        persistent: bool = False,
        custom_tools: Mapping[str, Any] | None = None,
        custom_sub_tools: Mapping[str, Any] | None = None,
        compaction: bool = False,
        compaction_threshold_pct: float = 0.85,
        max_concurrent_subcalls: int = 4,
        on_subcall_start: SubCallStart | None = None,
        on_subcall_complete: SubCallComplete | None = None,
        on_iteration_start: IterationStart | None = None,
        on_iteration_complete: IterationComplete | None = None,
        sampling_args: Mapping[str, Any] | None = None,
        sub_sampling_args: Mapping[str, Any] | None = None,
        orchestrator: bool = True,
        user_prologue: str | None = None,
        *,
        repl_factory: REPLFactory | None = None,
    ) -> None:
        levels = levels_below(depth, max_depth)
        check_environment(environment, environment_kwargs)
        check_sub_tools(custom_tools, custom_sub_tools, levels)
        check_wording(custom_system_prompt, orchestrator=orchestrator)
        check_errors(max_errors)
        model, sub_model = models_of(
            (backend, backend_kwargs),
            (other_backends, other_backend_kwargs),
            sampling_args,
            sub_sampling_args,
        )
        options = RunOptions(
            max_iterations=max_iterations,
            max_depth=levels,
            parallel_runs=max_concurrent_subcalls,
            system_prompt=system_prompt_of(custom_system_prompt),
            budget=Budget(cost_usd=max_budget, tokens=max_tokens, seconds=max_timeout),
            **(compaction_of(model, compaction_threshold_pct) if compaction else {}),
        )
        self._max_errors = max_errors
        self._prologue = user_prologue
        self._callbacks = Callbacks(
            depth, on_subcall_start, on_subcall_complete, on_iteration_start, on_iteration_complete
        )
        self._rlm = RLM_REPL(
            model,
            sub_model,
            enable_logging=verbose,
            repl_factory=repl_factory,
            options=options,
            tools=tools_of(custom_tools),
            persistent=persistent,
        )
        self._logger = logger
        if logger is not None:
            metadata = {
                "root_model": model.name,
                "max_depth": max_depth,
                "max_iterations": max_iterations,
                "backend": backend,
                "backend_kwargs": _without_keys(backend_kwargs),
                "environment_type": environment,
                "environment_kwargs": {},
                "other_backends": None if other_backends is None else [*other_backends],
            }
            logger.log_metadata(Entry(metadata))

    def completion(self, prompt: Any, root_prompt: str | None = None) -> RLMChatCompletion:
        """As `acompletion`; blocks, also inside a running event loop."""
        return run_blocking(self.acompletion(prompt, root_prompt))

    async def acompletion(self, prompt: Any, root_prompt: str | None = None) -> RLMChatCompletion:
        """The answer to `root_prompt` about `prompt`, which is what the code finds in `context`.

        Without a `root_prompt` the model is told that the question is in `context`. Raises as
        `RLM_REPL.acompletion` does: for a limit a BudgetExceeded, with the `partial_answer` and the
        `usage`.
        """
        recorder = None
        if self._logger is not None:
            recorder = Recorder(self._rlm.secrets, context_bytes=0)
        metadata = None
        try:
            result = await self._rlm.arun(
                prompt, self._question(root_prompt), on_event=self._watcher(recorder)
            )
        finally:
            if recorder is not None:
                metadata = await asyncio.to_thread(self._logged, recorder)
        return RLMChatCompletion(
            root_model=result.root_model,
            prompt=prompt,
            response=result.response,
            usage_summary=UsageSummary.of(result.usage_summary),
            execution_time=result.execution_time,
            metadata=metadata,
        )

    def close(self) -> None:
        """End the session of a persistent conversation. Idempotent; see `RLM_REPL.close`."""
        self._rlm.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _question(self, root_prompt: str | None) -> str:
        return "\n\n".join(filter(None, [self._prologue, root_prompt or _NO_QUESTION]))

    def _watcher(self, recorder: Recorder | None) -> Callable[[Event], None]:
        watchers = [self._callbacks.watcher()]
        if recorder is not None:
            watchers.append(recorder.take)
        if self._max_errors is not None:
            watchers.append(FailureStreaks(self._max_errors).see)  # the last one: it may raise

        def see(event: Event) -> None:
            for watcher in watchers:
                watcher(event)

        return see

    def _logged(self, recorder: Recorder) -> dict[str, Any] | None:
        trajectory = recorder.trajectory()
        if self._logger is None or trajectory is None:
            return None
        return log_run(self._logger, trajectory)


def _without_keys(arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (arguments or {}).items() if name != "api_key"}
