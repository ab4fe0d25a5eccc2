"""`rlm-kernel run`: one question about files, answered while a person watches."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path

from rlm_kernel.agent.events import AnswerGiven, SessionOpened
from rlm_kernel.agent.repl import RLM_REPL
from rlm_kernel.agent.session.connection_file import connection_file
from rlm_kernel.agent.starting import options_for, started_models, started_sessions
from rlm_kernel.agent.steps import StepPrinter
from rlm_kernel.agent.stop_signals import StopSignals
from rlm_kernel.agent.trajectory import Recorder
from rlm_kernel.agent.trajectory.saving import check_path, saved_at_the_end
from rlm_kernel.settings import AgentSettings


def run(
    *,
    context: Sequence[Path],
    query: str,
    model: str | None = None,
    recursive_model: str | None = None,
    max_iterations: int = 20,
    max_depth: int = 1,
    preload: Sequence[str] = (),
    save: Sequence[Path] = (),
) -> int:
    """Answer `query` about the files and folders, the answer on stdout and each step on stderr.

    `model` is a litellm name or `local`, which is the default: the model at MODEL_PATH, else the
    pinned one. Without WASM_MANAGER_SERVICE_URL a manager of our own runs meanwhile, with sessions
    that start with the packages `preload`. The trajectory is saved under the names `save`, in the
    form that each one's suffix says, also that of a run which fails or is stopped. Returns the
    exit status: 0, or 130 and 143 for SIGINT and SIGTERM. Raises the RLMKernelError classes.
    """
    for path in save:
        check_path(path)
    about = context[0] if len(context) == 1 else list(context)
    settings = AgentSettings.from_environment()
    with StopSignals() as signals, ExitStack() as stack:
        try:
            factory = stack.enter_context(started_sessions(settings, preload))
            main, recursive = stack.enter_context(started_models(model, recursive_model, settings))
            rlm = RLM_REPL(
                main,
                recursive,
                max_iterations,
                max_depth,
                repl_factory=factory(),
                options=options_for(model),
            )
            recorder = Recorder(rlm.secrets)
            with saved_at_the_end(recorder, save, StepPrinter().say):
                print(signals.run(_watch(rlm, about, query, recorder)), flush=True)
        except KeyboardInterrupt:
            return signals.exit_status
    return 0


async def _watch(rlm: RLM_REPL, context: object, query: str, recorder: Recorder) -> str:
    """The answer; meanwhile every step is shown, and people are told how to look inside."""
    steps = StepPrinter()
    answer = ""
    with ExitStack() as files:
        async with aclosing(rlm.astream(context, query)) as events:
            async for event in events:
                recorder.take(event)
                if isinstance(event, AnswerGiven) and not event.depth:
                    answer = event.text
                    steps.say(str(rlm.cost_summary()))
                steps.show(event)
                if isinstance(event, SessionOpened):
                    file = connection_file(event.session_id, event.connection)
                    path = files.enter_context(file)
                    steps.say(f"to look inside: jupyter console --existing {path}")
    return answer
