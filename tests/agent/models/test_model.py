"""Models answer, count, stop and fail as promised, over real HTTP."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from rlm_kernel.agent.models.faults import model_error
from rlm_kernel.agent.models.model import Completion, LiteLLMModel, Message, Model
from rlm_kernel.agent.models.revocable import revocable
from rlm_kernel.agent.models.terms import FREE, Terms
from rlm_kernel.errors import ModelError, ModelUnavailable, PromptTooLong
from rlm_kernel.testing import ChatRequest, Failure, HangUp, Reply, ScriptedModelServer, Stall

QUESTION = [Message("system", "be brief"), Message("user", "why?")]


def model_at(server: ScriptedModelServer, name: str = "", timeout_s: float = 30.0) -> LiteLLMModel:
    return LiteLLMModel(
        name or server.model_name, api_base=server.base_url, api_key="sk-1234", timeout_s=timeout_s
    )


def ask(model: Model, max_output_tokens: int | None = None) -> Completion:
    return asyncio.run(model.complete(QUESTION, max_output_tokens=max_output_tokens))


def test_an_answer_comes_with_its_token_counts() -> None:
    with ScriptedModelServer([Reply("because", input_tokens=11, output_tokens=3)]) as server:
        assert ask(model_at(server)) == Completion("because", 11, 3, cost_usd=None)


def test_the_conversation_and_the_limits_reach_the_server() -> None:
    with ScriptedModelServer(["ok"]) as server:
        model = LiteLLMModel(
            server.model_name, api_base=server.base_url, api_key="sk-1234", temperature=0.0
        )
        ask(model, max_output_tokens=9)
        (request,) = server.requests
    assert request.body == {
        "model": "scripted",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "why?"},
        ],
        "temperature": 0.0,
        "max_tokens": 9,
    }
    assert request.headers["Authorization"] == "Bearer sk-1234"


def test_parameters_of_ones_own_reach_the_server_and_of_two_limits_the_stricter() -> None:
    with ScriptedModelServer(["ok"] * 3) as server:
        model = replace(model_at(server), max_output_tokens=5, parameters={"top_p": 0.5})
        for limit in (None, 9, 3):
            ask(model, limit)
        sent = [(request.body["top_p"], request.body["max_tokens"]) for request in server.requests]
    assert sent == [(0.5, 5), (0.5, 5), (0.5, 3)]


def test_what_utf_8_cannot_hold_is_sent_as_a_question_mark() -> None:
    with ScriptedModelServer(["\ud83d, an emoji cut in two", "ok"]) as server:
        model = model_at(server)
        half = ask(model).text
        asyncio.run(model.complete([Message("user", half)]))
        assert server.requests[-1].last == "?, an emoji cut in two"


def test_a_priced_model_tells_its_cost() -> None:
    with ScriptedModelServer([Reply("x", input_tokens=1_000_000, output_tokens=0)]) as server:
        completion = ask(model_at(server, "openai/gpt-4o-mini"))
    assert completion.cost_usd == pytest.approx(0.15)


def test_a_free_model_costs_nothing_and_needs_no_known_name() -> None:
    with ScriptedModelServer(["x"]) as server:
        model = LiteLLMModel(
            "local/mine", provider="openai", api_base=server.base_url, api_key="k", free=True
        )
        assert ask(model).cost_usd == 0.0
        assert server.requests[0].body["model"] == "local/mine"


def test_an_answer_cut_at_the_output_limit_says_so() -> None:
    with ScriptedModelServer([Reply("beca", finish_reason="length"), "whole"]) as server:
        assert [ask(model_at(server)).truncated for _ in range(2)] == [True, False]


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_a_failed_call_is_a_model_error_with_the_reason_and_is_not_retried(status: int) -> None:
    with ScriptedModelServer([Failure(status, "it broke"), "never sent"]) as server:
        with pytest.raises(ModelError, match=r"openai/scripted: .*it broke"):
            ask(model_at(server))
        assert len(server.requests) == 1


def test_a_key_that_the_provider_repeats_stays_out_of_the_error() -> None:
    with (
        ScriptedModelServer([Failure(401, "bad key sk-1234")]) as server,
        pytest.raises(ModelError) as raised,
    ):
        ask(model_at(server))
    assert "sk-1234" not in str(raised.value)


def test_the_key_stays_out_of_the_repr() -> None:
    assert "sk-1234" not in repr(LiteLLMModel("openai/x", api_key="sk-1234"))


def test_a_server_that_is_not_there_is_a_model_error() -> None:
    with ScriptedModelServer() as server:
        model = model_at(server)
    with pytest.raises(ModelError, match="openai/scripted"):
        ask(model)


def test_a_name_without_a_provider_is_a_model_error() -> None:
    with pytest.raises(ModelError, match=r"no-such-model: .*LLM Provider NOT provided"):
        ask(LiteLLMModel("no-such-model"))


def test_no_answer_in_time_is_a_model_error_and_hangs_up() -> None:
    with ScriptedModelServer([Stall()]) as server:
        with pytest.raises(ModelError, match=r"no answer within 0\.5 s"):
            ask(model_at(server, timeout_s=0.5))
        server.wait_for_hangups(1)


def test_a_cancelled_call_hangs_up() -> None:
    async def cancel_while_waiting(server: ScriptedModelServer) -> None:
        call = asyncio.create_task(model_at(server).complete(QUESTION))
        await asyncio.to_thread(server.wait_for_requests, 1, 60)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    with ScriptedModelServer([Stall()]) as server:
        asyncio.run(cancel_while_waiting(server))
        server.wait_for_hangups(1)


class Gate(ThreadPoolExecutor):
    """Threads that begin their work, and end it only when they may."""

    def __init__(self) -> None:
        super().__init__(1)
        self.begun, self.may_end = threading.Event(), threading.Event()

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        def gated() -> Any:
            result = work(*args, **kwargs)
            self.begun.set()
            self.may_end.wait()
            return result

        return super().submit(gated)


def test_a_call_can_be_cancelled_while_it_is_prepared() -> None:
    """litellm does that in a thread, from where a coroutine comes: it must not be dropped."""

    async def cancel(server: ScriptedModelServer) -> None:
        model, gate = model_at(server), Gate()
        await model.terms()  # litellm is imported
        call = litellm_task(model)
        asyncio.get_running_loop().set_default_executor(gate)
        while not gate.begun.is_set():  # noqa: ASYNC110 - set in a thread
            await asyncio.sleep(0.001)
        call.cancel()
        asyncio.get_running_loop().call_later(0.05, gate.may_end.set)
        with pytest.raises(asyncio.CancelledError):
            await call

    def litellm_task(model: LiteLLMModel) -> asyncio.Task[Any]:
        import litellm

        request = model._request(QUESTION, None)
        return asyncio.create_task(revocable(litellm.acompletion(**request)))

    with (
        ScriptedModelServer(lambda request: Stall()) as server,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        asyncio.run(cancel(server))
        gc.collect()
    assert [str(each.message) for each in caught if "never awaited" in str(each.message)] == []


def test_calls_run_side_by_side() -> None:
    everyone_is_here = asyncio.Barrier(3)

    async def ask_three(model: LiteLLMModel) -> list[str]:
        async def one(number: int) -> str:
            await everyone_is_here.wait()
            return (await model.complete([Message("user", f"number {number}")])).text

        return await asyncio.gather(*(one(number) for number in range(3)))

    def echo(request: ChatRequest) -> str:
        return request.last

    with ScriptedModelServer(echo) as server:
        assert asyncio.run(ask_three(model_at(server))) == ["number 0", "number 1", "number 2"]


def test_one_model_serves_one_event_loop_after_another() -> None:
    with ScriptedModelServer(["a", "b", "c"]) as server:
        model = model_at(server)
        assert [ask(model).text for _ in range(3)] == ["a", "b", "c"]


def test_an_answer_without_text_is_empty() -> None:
    with ScriptedModelServer([Reply("")]) as server:
        assert ask(model_at(server)).text == ""


def test_importing_the_agent_does_not_import_litellm() -> None:
    code = "import sys, rlm_kernel.agent.models.model; sys.exit('litellm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_call_that_may_succeed_later_says_so_and_when() -> None:
    with ScriptedModelServer([Failure(429, retry_after=7.5)]) as server:
        with pytest.raises(ModelUnavailable) as raised:
            ask(model_at(server))
        assert (raised.value.retry_after, raised.value.may_have_cost) == (7.5, False)


def test_a_server_that_is_not_there_has_charged_nothing() -> None:
    with ScriptedModelServer() as server:
        model = model_at(server)
    with pytest.raises(ModelUnavailable) as raised:
        ask(model)
    assert (raised.value.retry_after, raised.value.may_have_cost) == (None, False)


def test_a_server_that_hangs_up_may_have_charged() -> None:
    with ScriptedModelServer([HangUp()]) as server:
        with pytest.raises(ModelUnavailable) as raised:
            ask(model_at(server))
        assert raised.value.may_have_cost


def test_no_answer_in_time_may_have_cost() -> None:
    with ScriptedModelServer([Stall()]) as server:
        with pytest.raises(ModelError) as raised:
            ask(model_at(server, timeout_s=0.5))
        assert raised.value.may_have_cost


def test_a_prompt_that_is_too_long_is_an_error_of_its_own() -> None:
    message = "This model's maximum context length is 8192 tokens, your messages have 100000."
    with ScriptedModelServer([Failure(400, message)]) as server, pytest.raises(PromptTooLong):
        ask(model_at(server))


def test_terms_are_litellms_or_ones_own_and_unknown_otherwise() -> None:
    known = asyncio.run(LiteLLMModel("openai/gpt-4o-mini").terms())
    assert known == Terms(1.5e-07, 6e-07, 16_384)
    assert asyncio.run(LiteLLMModel("openai/scripted").terms()) == Terms()
    assert asyncio.run(LiteLLMModel("local/mine", provider="openai", free=True).terms()) == FREE
    own = Terms(1.0, 2.0, 3)
    assert asyncio.run(LiteLLMModel("x", pricing=own).terms()) == own


def test_ones_own_price_is_what_a_call_costs() -> None:
    with ScriptedModelServer([Reply("x", input_tokens=10, output_tokens=3)]) as server:
        model = replace(model_at(server), pricing=Terms(0.5, 2.0))
        assert ask(model).cost_usd == pytest.approx(11.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    class Refusal(Exception):
        status_code = 429
        response = SimpleNamespace(headers={"retry-after": header})

    error = model_error(Refusal(), "no")
    assert isinstance(error, ModelUnavailable)
    assert error.retry_after == seconds
