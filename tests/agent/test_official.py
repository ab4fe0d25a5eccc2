"""The official library's interface: what it takes, what it gives, and what it refuses."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import rlm as official
from rlm.core import types as official_types
from rlm.logger import RLMLogger

from rlm_kernel.agent import (
    RLM,
    Message,
    ModelUsageSummary,
    RLMChatCompletion,
    SidecarREPLFactory,
    Terms,
    UsageSummary,
)
from rlm_kernel.agent.ledger.costs import CostSummary, ModelCosts
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.agent.official.arguments import compaction_of, system_prompt_of
from rlm_kernel.agent.official.backends import model_of_backend
from rlm_kernel.errors import (
    BudgetExceeded,
    ConfigurationError,
    ErrorLimitExceeded,
    ModelError,
    TimeLimitExceeded,
    TokenLimitExceeded,
)
from rlm_kernel.testing import ChatRequest, Failure, Reply, ScriptedModelServer, Step
from tests.agent.conftest import open_sessions
from tests.agent.runs import code

TYPES = [
    (RLMChatCompletion, official_types.RLMChatCompletion),
    (UsageSummary, official_types.UsageSummary),
    (ModelUsageSummary, official_types.ModelUsageSummary),
]


def agent(server: ScriptedModelServer, factory: SidecarREPLFactory, **arguments: Any) -> RLM:
    """An agent as the users of the library write it."""
    return RLM(
        backend="openai",
        backend_kwargs=reached(server) | arguments.pop("backend_kwargs", {}),
        repl_factory=factory,
        **arguments,
    )


def reached(server: ScriptedModelServer, model: str = "scripted") -> dict[str, Any]:
    return {"model_name": model, "base_url": server.base_url, "api_key": "sk-official"}


def defaults(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    return {name: each.default for name, each in parameters.items()}


@pytest.mark.parametrize("name", ["__init__", "completion", "close"])
def test_it_takes_what_the_library_takes_in_the_same_order(name: str) -> None:
    ours, theirs = defaults(getattr(RLM, name)), defaults(getattr(official.RLM, name))
    assert list(ours)[: len(theirs)] == list(theirs)
    assert {each: ours[each] for each in theirs} == theirs


@pytest.mark.parametrize(("ours", "theirs"), TYPES)
def test_results_have_the_fields_of_the_librarys(ours: Any, theirs: Any) -> None:
    assert [each.name for each in fields(ours)] == [each.name for each in fields(theirs)]
    assert {name for name in dir(theirs) if name[0] != "_"} <= set(dir(ours))


@pytest.mark.parametrize("metadata", [None, {"run_metadata": {}, "iterations": []}])
@pytest.mark.parametrize(("cost", "error"), [(None, None), (0.25, "it failed")])
def test_a_result_is_the_same_plain_data_as_the_librarys_and_is_read_back(
    metadata: dict[str, Any] | None, cost: float | None, error: str | None
) -> None:
    usage = UsageSummary({"m": ModelUsageSummary(2, 3, 4, cost)})
    ours = RLMChatCompletion("m", {"a": [1]}, "answer", usage, 1.5, metadata, error)
    theirs = official_types.RLMChatCompletion.from_dict(ours.to_dict())
    assert list(theirs.to_dict().items()) == list(ours.to_dict().items())
    assert theirs.usage_summary.total_cost == usage.total_cost == cost
    assert RLMChatCompletion.from_dict(ours.to_dict()) == ours


@pytest.mark.filterwarnings("ignore:Exception ignored in.*socket")  # the library leaves one open
def test_a_program_for_the_library_runs_here_with_another_import(
    manager: ManagerProcess, factory: SidecarREPLFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program(library: type[Any]) -> dict[str, Any]:
        with (
            ScriptedModelServer(["```repl\nprint(context)\n```", answer]) as server,
            library(
                backend="openai", backend_kwargs=reached(server), max_depth=1, logger=RLMLogger()
            ) as agent,
        ):
            completion = agent.completion("abc", root_prompt="How long is it?")
            return dict(completion.to_dict())

    def shape(value: Any) -> Any:
        """The keys, all the way down; those of ours that are more are not the library's."""
        if isinstance(value, dict):
            return {key: shape(each) for key, each in value.items() if key not in more}
        return [shape(each) for each in value] if isinstance(value, list) else type(value)

    more = {"prompt", "locals", "backend_kwargs", "outputs", "state", "tool_calls"}
    answer = "```repl\nanswer['content'] = str(len(context))\nanswer['ready'] = True\n```"
    monkeypatch.setenv("WASM_MANAGER_SERVICE_URL", manager.url)
    monkeypatch.setenv("RLM_KERNEL_TOKEN", manager.token or "")
    ours, theirs = program(RLM), program(official.RLM)
    gc.collect()  # what it left open, while that is allowed
    assert ours["response"] == theirs["response"] == "3"
    assert ours["prompt"] == theirs["prompt"]
    assert shape(ours) == shape(theirs)


def test_calls_without_a_price_have_no_cost_and_failed_calls_do_not_count() -> None:
    models = {
        "priced": ModelCosts(calls=3, failed_calls=1, input_tokens=5, cost_usd=0.5),
        "free": ModelCosts(calls=1, output_tokens=2),
        "unknown": ModelCosts(calls=2, unpriced_calls=2),
        "dead": ModelCosts(calls=4, failed_calls=4),
    }
    summary = UsageSummary.of(CostSummary(ModelCosts(), models))
    shares = summary.model_usage_summaries
    assert {name: share.total_cost for name, share in shares.items()} == {
        "priced": 0.5,
        "free": 0.0,
        "unknown": None,
    }
    assert shares["priced"].total_calls == 2
    assert (summary.total_cost, summary.total_input_tokens, summary.total_output_tokens) == (
        0.5,
        5,
        2,
    )


def test_a_completion_answers_a_question_about_a_prompt(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer([Reply(code("FINAL(len(context))"), 30, 4)]) as server:
        completion = agent(server, factory).completion("abc", root_prompt="How long is it?")
        assert "Question: How long is it?" in server.requests[0].last
    assert (completion.root_model, completion.prompt) == ("scripted", "abc")
    assert (completion.response, completion.error) == ("3", None)
    assert completion.metadata is None
    assert completion.execution_time > 0
    assert completion.usage_summary.to_dict() == {
        "model_usage_summaries": {
            "scripted": {"total_calls": 1, "total_input_tokens": 30, "total_output_tokens": 4}
        }
    }
    assert "metadata" not in completion.to_dict()


def test_without_a_question_the_model_is_sent_to_the_context_and_a_prologue_comes_first(
    factory: SidecarREPLFactory,
) -> None:
    with ScriptedModelServer([code("FINAL(context['question'])")]) as server:
        rlm = agent(server, factory, user_prologue="Mind the gap.")
        assert rlm.completion({"question": "Why?"}).response == "Why?"
        assert "Question: Mind the gap.\n\nThe question is in `context`" in server.requests[0].last


async def test_it_answers_within_an_event_loop_in_both_ways(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer([code("FINAL(1)"), code("FINAL(2)")]) as server:
        rlm = agent(server, factory)
        assert (await rlm.acompletion("", "?")).response == "1"
        assert rlm.completion("", "?").response == "2"


def test_what_the_code_asks_goes_to_the_other_backend_each_with_its_sampling(
    factory: SidecarREPLFactory,
) -> None:
    with (
        ScriptedModelServer([code("FINAL(llm_query('hello'))")]) as server,
        ScriptedModelServer(["hi"]) as other,
    ):
        rlm = agent(
            server,
            factory,
            backend_kwargs={"sampling_args": {"temperature": 0.5, "seed": 1}},
            sampling_args={"temperature": 0.0, "max_tokens": 50, "top_p": None},
            other_backends=["vllm"],
            other_backend_kwargs=[reached(other, "org/small")],
            sub_sampling_args={"extra_body": {"top_k": 3}},
        )
        completion = rlm.completion("", "?")
        root, sub = server.requests[0].body, other.requests[0].body
    assert completion.response == "hi"
    assert set(completion.usage_summary.model_usage_summaries) == {"scripted", "org/small"}
    assert (root["temperature"], root["seed"], root["max_tokens"]) == (0.0, 1, 50)
    assert (sub["model"], sub["top_k"]) == ("org/small", 3)
    assert "temperature" not in sub
    assert "top_p" not in root


def test_sampling_of_sub_calls_alone_is_for_the_same_model(factory: SidecarREPLFactory) -> None:
    script = [code("FINAL(llm_query('hello'))"), "hi"]
    with ScriptedModelServer(script) as server:
        rlm = agent(
            server, factory, sampling_args={"seed": 1}, sub_sampling_args={"temperature": 0.3}
        )
        assert rlm.completion("", "?").response == "hi"
        root, sub = (request.body for request in server.requests)
    assert (root.get("temperature"), root["seed"]) == (None, 1)
    assert (sub["temperature"], sub["seed"]) == (0.3, 1)


def recursion(request: ChatRequest) -> Step:
    if "Question: child" in request.last:
        return code("FINAL(context * 2)")
    return code("FINAL(rlm_query('child ' + 'x' * 100, context=21))")


def test_callbacks_are_told_of_child_runs_and_turns_and_cannot_end_a_run(
    factory: SidecarREPLFactory, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Any] = []

    def fail(depth: int, turn: int, seconds: float) -> None:
        told.append(("turn ends", depth, turn))
        raise RuntimeError("of the callback")

    with ScriptedModelServer(recursion) as server:
        rlm = agent(
            server,
            factory,
            max_depth=2,
            on_subcall_start=lambda *start: told.append(("child", *start)),
            on_subcall_complete=lambda depth, model, seconds, error: told.append(
                ("child ends", depth, model, error)
            ),
            on_iteration_start=lambda *start: told.append(("turn", *start)),
            on_iteration_complete=fail,
        )
        assert rlm.completion("", "?").response == "42"
    assert told == [
        ("turn", 0, 1),
        ("child", 1, "scripted", "child " + "x" * 74),
        ("turn", 1, 1),
        ("turn ends", 1, 1),
        ("child ends", 1, "scripted", None),
        ("turn ends", 0, 1),
    ]
    assert "a callback failed" in caplog.text


def test_a_depth_that_is_used_up_leaves_fewer_levels(factory: SidecarREPLFactory) -> None:
    told: list[int] = []
    with ScriptedModelServer([code("FINAL(rlm_query('say 7'))"), "7"]) as server:
        rlm = agent(
            server,
            factory,
            depth=1,
            max_depth=2,
            on_iteration_start=lambda depth, turn: told.append(depth),
        )
        assert rlm.completion("", "?").response == "7"
    assert told == [1]
    with ScriptedModelServer([code("FINAL('llm_query' in globals())")]) as server:
        completion = agent(server, factory, max_depth=0).completion("", "?")
    assert isinstance(completion, RLMChatCompletion)
    assert completion.response == "False"


def test_no_more_child_runs_go_on_than_may_while_models_are_asked_at_once(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    most = 0

    def script(request: ChatRequest) -> Step:
        nonlocal most
        if "Question: child" in request.last:
            most = max(most, len(asyncio.run(open_sessions(manager))))
            return code("FINAL(1)")
        return code("FINAL(rlm_query_batched(['child'] * 3, [0, 0, 0]))")

    with ScriptedModelServer(script) as server:
        rlm = agent(server, factory, max_depth=2, max_concurrent_subcalls=1)
        assert rlm.completion("", "?").response == "['1', '1', '1']"
    assert most == 2


def test_a_persistent_agent_keeps_its_session_until_it_is_closed(
    factory: SidecarREPLFactory, manager: ManagerProcess
) -> None:
    script = [code("x = 1\nFINAL(context)"), code("FINAL([x, context, context_0])")]
    with ScriptedModelServer(script) as server:
        with agent(server, factory, persistent=True) as rlm:
            assert rlm.completion("first").response == "first"
            assert rlm.completion("second").response == "[1, 'second', 'first']"
            assert len(asyncio.run(open_sessions(manager))) == 1
        rlm.close()
    assert asyncio.run(open_sessions(manager)) == []


def test_tools_are_called_and_told_of_in_the_words_of_their_entry(
    factory: SidecarREPLFactory,
) -> None:
    def double(number: int) -> int:
        """Not these words."""
        return 2 * number

    async def triple(number: int) -> int:
        return 3 * number

    tools = {
        "double": {"tool": double, "description": "Twice as much."},
        "triple": {"tool": triple},
    }
    with ScriptedModelServer([code("FINAL([double(2), triple(2)])")]) as server:
        rlm = agent(server, factory, custom_tools=tools)
        assert rlm.completion("", "?").response == "[4, 6]"
        told = server.requests[0].messages[0]["content"]
    assert "`double(number: 'int') -> 'int'`: Twice as much.\n" in told
    assert "`triple(number: 'int') -> 'int'`\n" in told
    assert "Not these words" not in told


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ("Be brief.\n{custom_tools_section}", "Be brief.\n"),
        ("A dict is {{'a': 1}}.", "A dict is {'a': 1}."),
        ("A dict is {'a': 1}, {} or {x.y}.", "A dict is {'a': 1}, {} or {x.y}."),
        ("Only { one.", "Only { one."),
        ("{custom_tools_section.nothing}", "{custom_tools_section.nothing}"),
        ("", None),
        (None, None),
    ],
)
def test_a_system_prompt_for_the_library_means_the_same_here(
    own: str | None, sent: str | None
) -> None:
    assert system_prompt_of(own) == sent


def test_an_own_system_prompt_is_what_the_model_is_sent(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer(["FINAL(1)"]) as server:
        agent(server, factory, custom_system_prompt="Be {brief}.", orchestrator=False).completion(
            "", "?"
        )
        assert server.requests[0].messages[0]["content"] == "Be {brief}."


def test_a_logger_of_the_library_has_the_run_and_its_file_without_the_key(
    factory: SidecarREPLFactory, tmp_path: Path
) -> None:
    logger = RLMLogger(log_dir=str(tmp_path))
    script = [code("print('seen')"), "FINAL(1)", code("FINAL(2)")]
    with ScriptedModelServer(script) as server:
        rlm = agent(server, factory, logger=logger, max_iterations=5)
        first = rlm.completion("", "?").metadata
        second = rlm.completion("sk-official", "?").metadata
    assert first is not None
    assert second is not None
    expected = official_types.RLMMetadata("", 1, 5, "", {}, "", {}).to_dict()
    assert first["run_metadata"].keys() == expected.keys()
    assert first["run_metadata"]["backend_kwargs"].keys() == {"model_name", "base_url"}
    assert [turn["response"] for turn in first["iterations"]] == script[:2]
    assert first["iterations"][0]["code_blocks"][0]["result"]["stdout"] == "seen\n"
    assert [turn["final_answer"] for turn in first["iterations"]] == [None, "1"]
    assert [turn["final_answer"] for turn in second["iterations"]] == ["2"]
    (file,) = tmp_path.iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["type"] for line in lines] == ["metadata", *["iteration"] * 3]
    assert "sk-official" not in file.read_text()


def test_a_run_that_fails_is_logged_and_one_that_never_began_is_not(
    factory: SidecarREPLFactory,
) -> None:
    logger = RLMLogger()
    with ScriptedModelServer([code("x = 1"), Failure(400, "out of order")]) as server:
        rlm = agent(server, factory, logger=logger)
        with pytest.raises(ConfigurationError):
            rlm.completion(object(), "?")
        assert logger.iteration_count == 0
        with pytest.raises(ModelError):
            rlm.completion("", "?")
    assert logger.iteration_count == 2


def test_verbose_shows_the_steps(
    factory: SidecarREPLFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedModelServer([code("FINAL(1)")]) as server:
        agent(server, factory, verbose=True).completion("", "?")
    assert "answer after 1 turn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        ({"max_timeout": 1.0}, TimeLimitExceeded),
        ({"max_tokens": 2_000}, TokenLimitExceeded),
    ],
)
def test_a_limit_ends_the_run_with_its_type_and_a_partial_answer(
    factory: SidecarREPLFactory, limit: dict[str, Any], error: type[BudgetExceeded]
) -> None:
    script: list[Step] = [Reply(code("print('so far')"), 100, 1_800), code("while True: pass")]
    with ScriptedModelServer(script) as server:
        rlm = agent(server, factory, sampling_args={"max_tokens": 300}, **limit)
        with pytest.raises(error) as raised:
            rlm.completion("", "?")
    assert raised.value.partial_answer == "so far"
    assert raised.value.usage is not None


def test_a_budget_needs_a_price_and_a_call_that_could_cost_more_is_not_made(
    factory: SidecarREPLFactory,
) -> None:
    with ScriptedModelServer([code("FINAL(1)")] * 2) as server:
        with pytest.raises(ConfigurationError, match="no price is known"):
            agent(server, factory, max_budget=1.0).completion("", "?")
        priced = {"model_name": "gpt-4o-mini"}
        rlm = agent(server, factory, max_budget=1e-6, backend_kwargs=priced)
        with pytest.raises(BudgetExceeded, match=r"could cost more") as raised:
            rlm.completion("", "?")
        assert server.requests == []
        rlm = agent(server, factory, max_budget=1.0, backend_kwargs=priced)
        total = rlm.completion("", "?").usage_summary.total_cost
    assert raised.value.partial_answer is None
    assert total is not None
    assert 0 < total < 1e-3


def test_errors_in_a_row_end_a_run_and_others_do_not(factory: SidecarREPLFactory) -> None:
    bad, good = code("print('seen')\n1 / 0"), code("x = 1")
    with ScriptedModelServer([bad, good, bad, "no code", bad, bad, good]) as server:
        rlm = agent(server, factory, max_errors=2)
        with pytest.raises(ErrorLimitExceeded, match="the code of 2 turns in a row") as raised:
            rlm.completion("", "?")
        assert len(server.requests) == 6
    assert raised.value.partial_answer == "seen"


def test_a_child_run_that_fails_in_a_row_is_an_error_in_its_parents_code(
    factory: SidecarREPLFactory,
) -> None:
    def script(request: ChatRequest) -> Step:
        if any("Question: child" in str(each["content"]) for each in request.messages):
            return code("1 / 0")
        handled = (
            "try:\n    rlm_query('child', context=1)\nexcept Exception as e:\n    FINAL(e.code)"
        )
        return code(handled)

    with ScriptedModelServer(script) as server:
        rlm = agent(server, factory, max_depth=2, max_errors=2)
        assert rlm.completion("", "?").response == "error_limit_exceeded"
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("backend", "given", "provider", "name", "base"),
    [
        ("openai", {"model_name": "gpt-5"}, "openai", "gpt-5", None),
        ("anthropic", {"model_name": "claude-x", "max_tokens": 9}, "anthropic", "claude-x", None),
        ("gemini", {}, "gemini", "gemini-2.5-flash", None),
        ("openrouter", {"model_name": "a/b"}, "openrouter", "a/b", None),
        ("vercel", {"model_name": "a/b"}, "vercel_ai_gateway", "a/b", None),
        ("litellm", {"model_name": "groq/x"}, None, "groq/x", None),
        ("vllm", {"model_name": "a/b", "base_url": "http://h"}, "hosted_vllm", "a/b", "http://h"),
        (
            "azure_openai",
            {"model_name": "gpt-5", "azure_endpoint": "https://e", "azure_deployment": "mine"},
            "azure",
            "mine",
            "https://e",
        ),
    ],
)
def test_each_backend_is_a_provider_of_litellms(
    backend: str, given: dict[str, Any], provider: str | None, name: str, base: str | None
) -> None:
    model = model_of_backend(backend, {**given, "api_key": "k", "timeout": 7})
    assert (model.provider, model.name, model.api_base) == (provider, name, base)
    assert (model.api_key, model.timeout_s) == ("k", 7.0)
    assert model.max_output_tokens == given.get("max_tokens")


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        ("openai", "gpt-5"),
        ("openai", "openai/gpt-oss-20b"),
        ("vllm", "openai/gpt-oss-20b"),
        ("openrouter", "openai/gpt-5"),
        ("openrouter", "openrouter/auto"),
        ("vercel", "anthropic/claude-sonnet-4"),
    ],
)
def test_a_name_with_slashes_arrives_as_it_was_given(backend: str, name: str) -> None:
    with ScriptedModelServer(["hi"]) as server:
        model = model_of_backend(backend, reached(server, name))
        asyncio.run(model.complete([Message("user", "hello")]))
        (request,) = server.requests
    assert request.body["model"] == name
    assert request.headers["Authorization"] == "Bearer sk-official"


def test_keys_and_azures_settings_are_read_where_the_library_reads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of OpenAI")
    monkeypatch.setenv("OPENROUTER_API_KEY", "of OpenRouter")
    monkeypatch.setenv("AI_GATEWAY_API_KEY", "of Vercel")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "of Azure")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://endpoint")
    monkeypatch.setenv("AZURE_OPENAI_DEPLOYMENT", "mine")
    named = {"model_name": "m"}
    router = named | {"base_url": "https://openrouter.ai/api/v1/"}
    assert model_of_backend("openai", router).api_key == "of OpenRouter"
    assert model_of_backend("openai", named).api_key is None  # litellm reads it
    assert model_of_backend("vercel", named).api_key == "of Vercel"
    azure = model_of_backend("azure_openai", {"model_name": "m"})
    assert (azure.name, azure.api_base, azure.api_key) == ("mine", "https://endpoint", "of Azure")
    assert azure.parameters == {"api_version": "2024-02-01"}


def test_a_models_own_limit_and_the_asked_one_are_both_kept() -> None:
    sampled = model_of_backend("openai", {"model_name": "gpt-4o-mini"}, {"max_tokens": 100})
    assert asyncio.run(sampled.terms()) == Terms(1.5e-07, 6e-07, 100)
    wide = model_of_backend("openai", {"model_name": "gpt-4o-mini"}, {"max_tokens": 10**6})
    assert asyncio.run(wide.terms()).max_output_tokens == 16_384


def test_compaction_begins_at_a_share_of_what_the_model_can_read() -> None:
    known = model_of_backend("openai", {"model_name": "gpt-4o-mini"})
    assert compaction_of(known, 0.5) == {"compaction": "summarise", "history_limit": 256_000}
    unknown = model_of_backend("litellm", {"model_name": "nobody/knows"})
    assert compaction_of(unknown, 0.25)["history_limit"] == 128_000


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"backend": "portkey"}, "portkey"),
        ({"backend": "nobody"}, "there is no backend 'nobody'"),
        ({"backend": "vllm"}, "base_url"),
        ({"backend_kwargs": None}, "model_name"),
        ({"backend_kwargs": {"model_name": "m", "default_headers": {}}}, "default_headers"),
        ({"backend": "azure_openai"}, "azure_endpoint"),
        ({"sampling_args": {"n": 3}}, "sampling_args: \\['n'\\]"),
        ({"environment": "cloud"}, "there is no environment 'cloud'"),
        ({"environment_kwargs": {"setup_code": "x = 1"}}, "setup_code"),
        ({"depth": -1}, "depth"),
        ({"max_depth": -1}, "max_depth"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"max_budget": 0}, "cost_usd"),
        ({"max_errors": 0}, "max_errors"),
        ({"max_concurrent_subcalls": 0}, "parallel_runs"),
        ({"other_backends": ["openai", "vllm"]}, "name one backend"),
        ({"other_backends": ["openai"]}, "other_backend_kwargs"),
        ({"custom_tools": {"KEY": "text"}}, "'KEY' is data"),
        ({"custom_tools": {"x": {"tool": 1}}}, "'x' is data"),
        ({"custom_tools": {"llm_query": print}}, "llm_query"),
        ({"custom_tools": {"f": repr}, "custom_sub_tools": {}, "max_depth": 2}, "custom_sub_tools"),
        ({"orchestrator": False}, "custom_system_prompt"),
        ({"compaction": True, "compaction_threshold_pct": 2}, "compaction_threshold_pct"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        RLM(**{"backend_kwargs": {"model_name": "m"}, **arguments})


@pytest.mark.parametrize("environment", ["local", "ipython", "docker", "modal", "prime", "e2b"])
def test_every_environment_of_the_library_is_a_session(
    environment: str, factory: SidecarREPLFactory
) -> None:
    named, tools = {"model_name": "m"}, {"f": repr}
    RLM("openai", named, environment, {}, persistent=True, repl_factory=factory)
    RLM("openai", named, custom_tools=tools, custom_sub_tools={}, repl_factory=factory)
    same: dict[str, Any] = {"custom_tools": tools, "custom_sub_tools": dict(tools)}
    RLM("openai", named, max_depth=2, repl_factory=factory, **same)
