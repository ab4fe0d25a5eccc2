"""Flaw 9: failed sub-calls come back as strings "Error: ...", failed prompts of a batch as ''."""

from __future__ import annotations

import pytest

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.testing import ChatRequest, Failure, Reply, Step
from tests.agent.runs import code, run_script

TOO_LONG = "This model's maximum context length is 8192 tokens, your messages have 100000."
FAILURES = {
    "fail": (Failure(400, "bad request"), "model_failed", "bad request"),
    "key": (Failure(401, "no such key"), "model_failed", "no such key"),
    "busy": (Failure(429, "slow down", 0.01), "model_unavailable", "slow down"),
    "down": (Failure(503, "out of order", 0.01), "model_unavailable", "out of order"),
    "long": (Failure(400, TOO_LONG), "prompt_too_long", "maximum context length"),
}


def failing(cell: str) -> object:
    def reply(request: ChatRequest) -> Step:
        prompt = str(request.messages[-1]["content"])
        if len(request.messages) == 1:
            return FAILURES[prompt][0] if prompt in FAILURES else f"re: {prompt}"
        if "Question: What is it?" in prompt:
            return code(cell)
        task = prompt.rpartition("Question: ")[2]
        return FAILURES[task][0] if task in FAILURES else "FINAL(done)"

    return reply


@pytest.mark.parametrize("function", ["llm_query", "rlm_query", "await allm_query"])
@pytest.mark.parametrize("prompt", FAILURES)
def test_a_failure_is_raised_with_its_kind_and_its_reason(
    factory: SidecarREPLFactory, function: str, prompt: str
) -> None:
    cell = (
        f"try:\n    reply = {function}({prompt!r})\n"
        "except LLMQueryError as error:\n"
        "    FINAL(f'{error.code}: {error}')\n"
        "else:\n    FINAL(f'no error, but {reply!r}')"
    )
    _, kind, reason = FAILURES[prompt]
    record = run_script(factory, failing(cell), max_depth=2)  # type: ignore[arg-type]
    assert record.answer.text.startswith(f"{kind}: ")
    assert reason in record.answer.text


def test_code_that_does_not_expect_a_failure_stops_at_it(factory: SidecarREPLFactory) -> None:
    def reply(request: ChatRequest) -> Step:
        if len(request.messages) == 1:
            return Failure(400, "bad request")
        if len(request.messages) == 2:
            return code("text = llm_query('x')\nFINAL(text)")
        return "FINAL(gave up)"

    record = run_script(factory, reply)
    assert record.answer.text == "gave up"
    assert "LLMQueryError: openai/scripted: " in record.told[-1]
    assert "bad request" in record.told[-1]


@pytest.mark.parametrize("batch", ["llm_query_batched", "rlm_query_batched"])
def test_in_a_batch_each_failure_stands_in_its_place(
    factory: SidecarREPLFactory, batch: str
) -> None:
    prompts = ["a", *FAILURES, "b"]
    cell = (
        f"r = {batch}({prompts!r})\n"
        "FINAL([each.code if isinstance(each, LLMQueryError) else each for each in r])"
    )
    record = run_script(factory, failing(cell), max_depth=2)  # type: ignore[arg-type]
    good = ["re: a", "re: b"] if batch.startswith("llm") else ["done", "done"]
    kinds = [kind for _, kind, _ in FAILURES.values()]
    assert record.answer.text == str([good[0], *kinds, good[1]])


def test_a_reply_that_reads_like_an_error_is_a_reply(factory: SidecarREPLFactory) -> None:
    def reply(request: ChatRequest) -> Step:
        if len(request.messages) > 1:
            return code("FINAL([llm_query('x'), *llm_query_batched(['x', 'empty'])])")
        return Reply("") if request.last == "empty" else '{"error": "Error: it is down"}'

    record = run_script(factory, reply)
    assert record.answer.text == str(['{"error": "Error: it is down"}'] * 2 + [""])
