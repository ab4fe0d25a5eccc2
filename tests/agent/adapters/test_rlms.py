"""The official library, run by a scripted model over real HTTP, with its code in real sessions."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
import rlm.core.rlm as library
from rlm import RLM
from rlm.environments import LocalREPL
from rlm.logger import RLMLogger
from rlm.utils.exceptions import ErrorThresholdExceededError

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.agent.adapters.rlms import Installation, install
from rlm_kernel.agent.adapters.rlms_environment import SessionEnvironment
from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.testing import ChatRequest, Failure, Script, ScriptedModelServer, Step
from tests.agent.conftest import open_sessions, restart_all_sessions

# The library leaves sockets open: its handler's, and those of its clients.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*socket")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """They are found in the test that left them, not in a later one."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def installed(factory: SidecarREPLFactory) -> Iterator[Installation]:
    with install(sessions=factory) as installation:
        yield installation


def act(code: str) -> str:
    return f"Let me see.\n```repl\n{code}\n```"


def official(server: ScriptedModelServer, **options: Any) -> RLM:
    settings = {
        "model_name": "scripted",
        "base_url": server.base_url,
        "api_key": "a-test-key",
        "max_retries": 0,
    }
    options = {"environment": "docker", "orchestrator": False, **options}
    return RLM(backend="openai", backend_kwargs=settings, logger=RLMLogger(), **options)


def complete(script: Script, prompt: Any = "", **options: Any) -> tuple[Any, list[str]]:
    """The library's completion, and all texts that the model was sent."""
    with ScriptedModelServer(script) as server, official(server, **options) as rlm:
        completion = rlm.completion(prompt)
        requests = server.requests
    return completion, ["\n".join(m["content"] for m in each.messages) for each in requests]


def test_a_run_of_the_library_works_in_a_session() -> None:
    script = [
        act("lines = context.splitlines()\nprint(len(lines))"),
        act("kinds = llm_query_batched([f'Kind of {line}?' for line in lines])\nprint(kinds)"),
        "fruit",
        "fruit",
        act("answer['content'] = f'{len(lines)} {kinds[0]}s'\nanswer['ready'] = True"),
    ]
    completion, told = complete(script, "an apple\na pear")
    assert completion.response == "2 fruits"
    assert "REPL output:\n\n2\n" in told[1]
    assert "['fruit', 'fruit']" in told[4]
    assert "REPL variables: ['answer', 'context_0', 'context', 'lines', 'kinds']" in told[4]
    summary = completion.usage_summary.model_usage_summaries["scripted"]
    assert summary.total_calls == 5
    first, second, last = (each["code_blocks"][0] for each in completion.metadata["iterations"])
    assert first["result"]["locals"]["lines"] == "['an apple', 'a pear']"
    assert [call["response"] for call in second["result"]["rlm_calls"]] == ["fruit", "fruit"]
    assert last["result"]["final_answer"] == "2 fruits"


@pytest.mark.parametrize(
    "giving",
    [
        "answer.update(content='it', ready=True)",
        "answer |= {'content': 'it', 'ready': True}",
        "answer = {'content': 'it', 'ready': True}",
        "answer['ready'] = True; answer['content'] = 'it'",
    ],
)
def test_an_answer_in_any_form_is_taken(giving: str) -> None:
    assert complete([act(giving)])[0].response == "it"


def test_an_answer_of_code_that_raised_is_not_taken() -> None:
    script = [
        act("answer.update(content='wrong', ready=True)\n1 / 0"),
        act("print(answer)"),
        act("answer.update(content='right', ready=True)"),
    ]
    completion, told = complete(script)
    assert completion.response == "right"
    assert "The answer was refused" in told[1]
    assert "{'content': 'wrong', 'ready': False}" in told[2]


def test_an_answer_that_cannot_be_made_text_is_told_and_the_run_goes_on() -> None:
    script = [
        act(
            "class Odd:\n    def __str__(self): raise RuntimeError('no words')\n"
            "answer.update(content=Odd(), ready=True)\nprint('so far')"
        ),
        act("answer.update(content='right', ready=True)"),
    ]
    completion, told = complete(script)
    assert completion.response == "right"
    assert "so far\nThere is no answer yet: str() of it failed with RuntimeError: no wo" in told[1]
    assert "Error in callback" not in told[1]
    assert "'Odd'" in told[1]


def test_state_of_code_that_raised_is_kept_and_its_traceback_shown() -> None:
    script = [
        act("def double(): return factor * 2\nfactor = 2\nprint('so far')\n{}['missing']"),
        act("factor = 21\nanswer.update(content=double(), ready=True)"),
    ]
    completion, told = complete(script)
    assert completion.response == "42"
    assert "so far" in told[1]
    assert "----> 4 {}['missing']" in told[1]


def test_errors_are_counted_by_the_library() -> None:
    with pytest.raises(ErrorThresholdExceededError, match="2 consecutive errors"):
        complete([act("1 / 0"), act("1 / 0")], max_errors=2)


def test_recursion_runs_children_in_sessions_of_their_own(
    manager: ManagerProcess, factory: SidecarREPLFactory
) -> None:
    live: list[int] = []

    def script(request: ChatRequest) -> Step:
        text = "\n".join(message["content"] for message in request.messages)
        live.append(len(asyncio.run(open_sessions(manager))))
        if "Your context is a str of 6 total" in text:  # 'part a'
            return act("answer.update(content=context.upper(), ready=True)")
        if "Turn 2" in text:
            return act("answer.update(content=' '.join(parts), ready=True)")
        return act("parts = rlm_query_batched(['part a', 'part b']) + [rlm_query('part c')]")

    completion, _ = complete(script, "the whole", max_depth=2)
    assert completion.response == "PART A PART B PART C"
    assert max(live) >= 2
    calls = completion.metadata["iterations"][0]["code_blocks"][0]["result"]["rlm_calls"]
    assert [call["response"] for call in calls] == ["PART A", "PART B", "PART C"]


def test_without_recursion_rlm_query_is_a_plain_call() -> None:
    script = [
        act("print(rlm_query('one'), rlm_query_batched(['two']))"),
        "1",
        "2",
        act("answer.update(content='done', ready=True)"),
    ]
    assert "1 ['2']" in complete(script)[1][3]


def test_a_sub_call_that_fails_is_an_error_text_as_everywhere_in_the_library() -> None:
    script: list[Step] = [
        act("print(llm_query('fails'))"),
        Failure(400, "the model is out"),
        act("answer.update(content='done', ready=True)"),
    ]
    told = complete(script)[1][2]
    assert "Error:" in told
    assert "the model is out" in told


def test_custom_tools_are_called_on_the_host() -> None:
    seen: list[str] = []

    def lookup(key: str) -> str:
        seen.append(key)
        return key * 2

    tools = {
        "lookup": {"tool": lookup, "description": "Looks a key up."},
        "limits": (1, {2}),
    }
    script = [act("answer.update(content=f'{lookup(\"ab\")} {limits}', ready=True)")]
    completion, told = complete(script, custom_tools=tools)
    assert completion.response == "abab (1, {2})"
    assert seen == ["ab"]
    assert "Looks a key up." in told[0]


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [("text \N{SNOWMAN}", "str"), (["a", {"b": 1}], "list"), ({"a": [1, 2.5, None]}, "dict")],
)
def test_contexts_arrive(prompt: Any, kind: str) -> None:
    script = [act("answer.update(content=repr((type(context).__name__, context)), ready=True)")]
    assert complete(script, prompt)[0].response == repr((kind, prompt))


def test_a_large_context_goes_in_as_a_file() -> None:
    script = [act("answer.update(content=len(context), ready=True)")]
    assert complete(script, "0123456789" * 3_000_000)[0].response == "30000000"


def test_what_the_library_promises_keeps_its_name() -> None:
    script = [
        act("context = llm_query = SHOW_VARS = answer = None"),
        act("print(SHOW_VARS())\nanswer.update(content=context, ready=True)"),
    ]
    completion, _ = complete(script, "the text")
    assert completion.response == "the text"


def test_a_persistent_run_keeps_variables_contexts_and_histories() -> None:
    script = [
        act("count = len(context)\nanswer.update(content=count, ready=True)"),
        act("print(answer, count, context_0, context_1, history[0]['role'])"),
        act("answer.update(content=context + context_1, ready=True)"),
    ]
    with ScriptedModelServer(script) as server, official(server, persistent=True) as rlm:
        assert rlm.completion("first").response == "5"
        assert rlm.completion("second").response == "firstsecond"
        told = "\n".join(message["content"] for message in server.requests[2].messages)
    assert "{'content': '', 'ready': False} 5 first second system" in told
    assert "Note: You have 2 contexts available" in told


def test_a_shortened_run_has_all_of_its_history() -> None:
    turns = [act("x = 1"), act("answer.update(content=str(history), ready=True)")]

    def script(request: ChatRequest) -> Step:
        return "I did." if "Summarize your progress" in request.last else turns.pop(0)

    completion, _ = complete(script, compaction=True, compaction_threshold_pct=0.001)
    assert completion.response.count("'type': 'summary', 'content': 'I did.'") == 2
    assert "REPL output" in completion.response


def test_code_that_takes_too_long_or_asks_is_stopped(factory: SidecarREPLFactory) -> None:
    script = [
        act("n = 0\nwhile True: n += 1"),
        act("input('?')"),
        act("answer.update(content=n > 0, ready=True)"),
    ]
    with install(sessions=factory, cell_timeout_s=0.5):
        completion, told = complete(script)
    assert completion.response == "True"
    assert "longer than 0.5 seconds" in told[1]
    assert "nobody is there to type" in told[2]


def test_a_session_that_was_started_anew_is_told_and_the_run_goes_on(
    manager: ManagerProcess,
) -> None:
    turns = [
        act("x = 1"),
        act("print('restarted')"),
        act("print('x' in globals(), context)"),
        act("answer.update(content=llm_query('still there?'), ready=True)"),
        "yes",
    ]

    def script(request: ChatRequest) -> Step:
        if request.index == 1:
            asyncio.run(restart_all_sessions(manager))
        return turns[request.index]

    completion, told = complete(script, "the text")
    assert completion.response == "yes"
    assert "had to be started anew" in told[2]
    assert "False the text" in told[3]


def test_code_that_must_be_killed_costs_only_what_it_did(factory: SidecarREPLFactory) -> None:
    stubborn = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    script = [
        act("x = 1"),
        act(stubborn),
        act("answer.update(content=[context, llm_query('there?')], ready=True)"),
        "yes",
    ]
    with install(sessions=factory, cell_timeout_s=0.5):
        completion, told = complete(script, "the text")
    assert completion.response == "['the text', 'yes']"
    assert "had to be killed" in told[2]


def test_a_run_leaves_no_session_also_when_it_fails(manager: ManagerProcess) -> None:
    with pytest.raises(Exception, match="the script has no reply"):
        complete([act("1")])
    assert asyncio.run(open_sessions(manager)) == []


# Installing -------------------------------------------------------------------------------------


def test_only_the_named_environment_is_replaced_and_only_while_it_is_installed(
    factory: SidecarREPLFactory,
) -> None:
    before = library.get_environment
    assert isinstance(library.get_environment("local", {}), LocalREPL)
    with install(sessions=factory, name="local") as here:
        with library.get_environment("local", {}) as environment:
            assert isinstance(environment, SessionEnvironment)
        here.uninstall()
        assert isinstance(library.get_environment("local", {}), LocalREPL)
    assert library.get_environment is before


def test_uninstalled_the_library_is_as_it_was(installed: Installation) -> None:
    installed.uninstall()
    assert library.get_environment.__module__ == "rlm.environments"
    installed.uninstall()
    assert library.get_environment.__module__ == "rlm.environments"


def test_the_latest_installation_of_a_name_counts(factory: SidecarREPLFactory) -> None:
    script = [act("while True: pass"), act("answer.update(content='x', ready=True)")]
    with install(sessions=factory, cell_timeout_s=0.5), install(sessions=factory, name="other"):
        assert "longer than 0.5 seconds" in complete(script)[1][1]


def test_whoever_replaced_it_later_is_left_in_place(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = library.get_environment

    def theirs(environment: str, options: dict[str, Any]) -> Any:
        return "theirs" if environment == "docker" else ours(environment, options)

    monkeypatch.setattr(library, "get_environment", theirs)
    installed.uninstall()
    assert library.get_environment is theirs
    assert library.get_environment("docker", {}) == "theirs"
    assert isinstance(library.get_environment("local", {}), LocalREPL)


def test_without_the_library_the_error_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'rlm-kernel\[rlms\]'"):
        install()
