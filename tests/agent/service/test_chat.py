"""Chats in OpenAI's form, asked by the clients that people have: openai's own, and litellm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from rlm_kernel.agent.models.model import Message, preload_litellm
from rlm_kernel.agent.service.chat import Chat, ChatMessage
from rlm_kernel.agent.service.chat_stream import ChatStream
from rlm_kernel.errors import BadRequest
from rlm_kernel.http.event_stream import EventStream
from rlm_kernel.testing import Failure
from tests.agent.runs import code
from tests.agent.service.process import AgentProcess
from tests.agent.service.scripted import Oracle, in_turn

LONG = "a line of the book\n" * 1000


@pytest.fixture
def client(agent: AgentProcess) -> Iterator[OpenAI]:
    with openai.DefaultHttpxClient(trust_env=False, timeout=100) as http:
        yield OpenAI(base_url=f"{agent.url}/v1", api_key="none", http_client=http, max_retries=0)


def test_the_models_are_those_that_may_be_asked(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["rlm", "openai/scripted"]


def test_a_long_message_is_the_context(client: OpenAI, oracle: Oracle) -> None:
    oracle.replies["lines-of-book"] = in_turn(code("FINAL(len(context.splitlines()))"))
    answer = client.chat.completions.create(
        model="rlm",
        messages=[{"role": "user", "content": LONG}, {"role": "user", "content": "lines-of-book?"}],
    )
    [choice] = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("1000", "stop")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    details = client.get(f"/../runs/{answer.id.removeprefix('chatcmpl-')}", cast_to=httpx.Response)
    assert details.json()["query"] == "lines-of-book?"


def test_a_stream_has_the_steps_and_then_the_answer(client: OpenAI, oracle: Oracle) -> None:
    oracle.replies["streamed-chat"] = in_turn(code("print('look' + 'ing')"), "FINAL(found it)")
    content = reasoning = ""
    with client.chat.completions.create(
        model="rlm",
        messages=[{"role": "user", "content": "streamed-chat"}],
        stream=True,
        stream_options={"include_usage": True},
    ) as chunks:
        for chunk in chunks:
            for choice in chunk.choices:
                content += choice.delta.content or ""
                reasoning += getattr(choice.delta, "reasoning_content", None) or ""
    assert content == "found it"
    assert "looking" in reasoning
    assert chunk.usage is not None
    assert chunk.usage.completion_tokens > 0


def test_an_answer_of_a_schema_is_json(client: OpenAI, oracle: Oracle) -> None:
    oracle.replies["as-an-object"] = in_turn(code("FINAL({'ok': True})"))
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    asked: dict[str, Any] = {
        "model": "rlm",
        "messages": [{"role": "user", "content": "as-an-object"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }
    answer = client.chat.completions.create(**asked)
    assert json.loads(answer.choices[0].message.content or "") == {"ok": True}
    chunks = client.chat.completions.create(**asked, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert json.loads(text) == {"ok": True}


@pytest.mark.filterwarnings("ignore:Item .* on TypedDict:UserWarning")  # of litellm's types
async def test_litellm_asks_it_as_any_other_server(agent: AgentProcess, oracle: Oracle) -> None:
    preload_litellm()
    import litellm

    oracle.replies["by-litellm"] = in_turn("FINAL(answered)")
    given: dict[str, Any] = {
        "model": "openai/rlm",
        "messages": [{"role": "user", "content": "by-litellm"}],
        "api_base": f"{agent.url}/v1",
        "api_key": "none",
    }
    answer = await litellm.acompletion(**given, extra_headers={"Connection": "close"})
    assert answer.choices[0].message.content == "answered"
    chunks = await litellm.acompletion(**given, stream=True, extra_headers={"Connection": "close"})
    content = [chunk.choices[0].delta.content or "" async for chunk in chunks]
    assert "".join(content) == "answered"


def test_errors_are_those_that_openais_client_knows(client: OpenAI, oracle: Oracle) -> None:
    def ask(content: Any, **more: Any) -> None:
        client.chat.completions.create(
            **{"model": "rlm", "messages": [{"role": "user", "content": content}], **more}
        )

    with pytest.raises(openai.BadRequestError, match="'gpt-5' is none of") as refused:
        ask("x", model="gpt-5")
    assert refused.value.code == "model_not_allowed"
    with pytest.raises(openai.BadRequestError, match="tools: not supported"):
        ask("x", tools=[{"type": "function", "function": {"name": "f"}}])
    with pytest.raises(openai.BadRequestError, match="only text"):
        ask([{"type": "image_url", "image_url": {"url": "data:,"}}])
    oracle.replies["broken-model"] = in_turn(Failure(400, "the model is broken"))
    with pytest.raises(openai.InternalServerError, match="the model is broken"):
        ask("broken-model")
    with pytest.raises(openai.APIError, match="the model is broken"):
        list(
            client.chat.completions.create(
                model="rlm", messages=[{"role": "user", "content": "broken-model"}], stream=True
            )
        )


async def test_a_stream_whose_reader_is_too_slow_ends_with_an_error_as_openai_has_it() -> None:
    events = EventStream(10, ChatStream("rlm", usage=False, typed=False).fault)
    for _ in range(2):
        events.add(b"data: ...\n\n")
    error, done = (await events.take()).decode().split("\n\n", 1)
    assert json.loads(error.removeprefix("data: "))["error"]["code"] == "reader_too_slow"
    assert done == "data: [DONE]\n\n"


def chat(*messages: tuple[str, str], limit: int = 10) -> Chat:
    return Chat.of([ChatMessage(role=role, content=text) for role, text in messages], limit)


def test_what_was_said_before_the_question_comes_before_it() -> None:
    made = chat(
        ("system", "Be brief."),
        ("user", "a long text indeed"),
        ("assistant", "Well?"),
        ("user", "Why?"),
    )
    assert made.context == "a long text indeed"
    assert made.query == (
        "Be brief.\n\nWhat was said before:\n\nassistant: Well?\n\nWhat is asked now:\n\nWhy?"
    )
    assert made.messages[0] == Message("system", "Be brief.")


def test_one_long_message_is_the_context_and_tells_the_question() -> None:
    made = chat(("user", "What is this?" + "x" * 2000 + "Tell me."))
    assert made.context.startswith("What is this?")
    assert "What is this?" in made.query
    assert made.query.endswith("Tell me.")
    assert len(made.query) < 1200


def test_a_short_message_is_a_question_without_a_context() -> None:
    assert (chat(("user", "Hi!")).context, chat(("user", "Hi!")).query) == ("", "Hi!")


@pytest.mark.parametrize(
    "messages", [[("system", "x")], [("user", "")], [("tool", "x"), ("user", "x")]]
)
def test_a_chat_without_a_question_is_refused(messages: list[tuple[str, str]]) -> None:
    with pytest.raises(BadRequest):
        chat(*messages)
