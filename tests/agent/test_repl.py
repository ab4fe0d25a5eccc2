"""`RLM_REPL` as its callers use it."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from rlm_kernel.agent import RLM_REPL, RunOptions, SidecarREPLFactory, create_sidecar_repl_factory
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.testing import Reply, ScriptedModelServer
from tests.agent.runs import code, model_of


def test_the_basic_usage_example_of_the_design_document(
    factory: SidecarREPLFactory, manager: ManagerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    fibonacci = "a, b = 0, 1\nfor _ in range(8):\n    a, b = b, a + b\nFINAL(a)"
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", manager.url)
    monkeypatch.setenv("RLM_KERNEL_TOKEN", manager.token)
    with ScriptedModelServer([code(fibonacci)]) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "a-test-key")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)

        # Create sidecar REPL factory
        factory = create_sidecar_repl_factory()

        # Create RLM with sidecar factory
        rlm = RLM_REPL(model="gpt-5", max_depth=2, enable_logging=True, repl_factory=factory)

        # Run inference
        result = rlm.completion(
            context="Calculate the Fibonacci sequence up to 10 terms",
            query="What is the 8th Fibonacci number?",
        )
    assert result == "21"
    assert server.requests[0].body["model"] == "gpt-5"


def test_the_parameters_are_those_that_users_of_rlm_libraries_know() -> None:
    names = list(inspect.signature(RLM_REPL).parameters)
    assert names[:6] == [
        "model",
        "recursive_model",
        "max_iterations",
        "max_depth",
        "enable_logging",
        "repl_factory",
    ]


def test_completion_also_works_inside_a_running_event_loop(factory: SidecarREPLFactory) -> None:
    async def caller() -> str:
        return RLM_REPL(model_of(server), repl_factory=factory).completion("abc", "?")

    with ScriptedModelServer([code("FINAL(context)")]) as server:
        assert asyncio.run(caller()) == "abc"


def test_one_object_answers_many_questions_at_once_and_one_after_the_other(
    factory: SidecarREPLFactory,
) -> None:
    async def many(rlm: RLM_REPL) -> list[str]:
        return await asyncio.gather(*(rlm.acompletion(str(n), "?") for n in range(6)))

    with ScriptedModelServer(lambda request: code("FINAL(context)")) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory)
        assert asyncio.run(many(rlm)) == [str(number) for number in range(6)]
        assert rlm.completion("again", "?") == "again"


def test_costs_add_up_over_runs_until_they_are_reset(factory: SidecarREPLFactory) -> None:
    reply = Reply(code("FINAL(1)"), input_tokens=100, output_tokens=10)
    with ScriptedModelServer([reply, reply]) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory)
        for _ in range(2):
            rlm.completion()
        answered = rlm.last_answer
        summary = rlm.cost_summary()
        assert (summary.total.calls, summary.total.input_tokens, summary.total.output_tokens) == (
            2,
            200,
            20,
        )
        assert summary.models == {"openai/scripted": summary.total}
        rlm.reset()
        assert rlm.cost_summary().total.calls == 0
        assert (answered is None, rlm.last_answer is None) == (False, True)


def test_logging_shows_the_steps_on_stderr_and_nothing_on_stdout(
    factory: SidecarREPLFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedModelServer([code("print('seen')"), "FINAL(1)"]) as server:
        RLM_REPL(model_of(server), enable_logging=True, repl_factory=factory).completion()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "▌ print('seen')\n  seen\n" in shown.err
    assert "answer after 2 turns" in shown.err


@pytest.mark.parametrize(
    "limits",
    [
        {"max_iterations": 0},
        {"max_depth": -1},
        {"parallel_calls": 0},
        {"parallel_runs": 0},
        {"cell_timeout_s": 0},
        {"output_limit": 1},
    ],
)
def test_a_limit_that_cannot_work_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(limits))):
        RunOptions(**limits)  # type: ignore[arg-type]


def test_arguments_overrule_options(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer([code("x = 1"), "FINAL(1)"]) as server:
        options = RunOptions(max_iterations=5)
        rlm = RLM_REPL(model_of(server), None, 1, repl_factory=factory, options=options)
        rlm.completion()
        assert rlm.last_answer is not None
        assert rlm.last_answer.forced
