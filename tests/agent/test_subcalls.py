"""Models and child runs, called by the code of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from rlm_kernel.agent import (
    RLM_REPL,
    Completion,
    Message,
    RunOptions,
    SessionOpened,
    SidecarREPLFactory,
    SubCallFinished,
    SubCallStarted,
)
from rlm_kernel.testing import ChatRequest, Failure, Script, ScriptedModelServer, Stall, Step
from tests.agent.runs import code, collect, model_of, run_script


def answering(root: list[str]) -> Script:
    """A script: the root's replies in order; a sub-call's is its prompt in capitals."""
    replies = iter(root)

    def reply(request: ChatRequest) -> Step:
        if len(request.messages) > 1:
            return next(replies)
        return Failure(400, "no luck") if request.last == "fail" else request.last.upper()

    return reply


class Meeting:
    """A model whose calls wait for each other: none returns before `size` of them run at once."""

    name = "meeting"

    def __init__(self, size: int, root: list[str]) -> None:
        self._barrier = asyncio.Barrier(size)
        self._root = iter(root)
        self.running = 0
        self.most = 0

    async def complete(
        self, messages: Sequence[Message], *, max_output_tokens: int | None = None
    ) -> Completion:
        if len(messages) > 1:
            return Completion(next(self._root), 1, 1, None)
        self.running += 1
        self.most = max(self.most, self.running)
        await self._barrier.wait()
        self.running -= 1
        return Completion(messages[0].content, 1, 1, None)


def test_code_asks_a_model_and_gets_its_reply(factory: SidecarREPLFactory) -> None:
    script = answering([code("FINAL(llm_query('hello') + '!')")])
    record = run_script(factory, script)
    assert record.answer.text == "HELLO!"
    assert record.requests[1] == [{"role": "user", "content": "hello"}]
    started, ended = (e for e in record.events if isinstance(e, SubCallStarted | SubCallFinished))
    assert started == SubCallStarted("0", 1, "llm_query", "openai/scripted", "hello")
    assert isinstance(ended, SubCallFinished)
    assert (ended.call, ended.reply, ended.error) == (1, "HELLO", None)
    assert record.costs.total.calls == 2


def test_a_batch_keeps_its_order_and_holds_an_error_where_a_prompt_failed(
    factory: SidecarREPLFactory,
) -> None:
    cell = (
        "r = llm_query_batched(['a', 'fail', 'c'])\n"
        "print(r[0], r[2], isinstance(r[1], LLMQueryError), 'no luck' in str(r[1]))"
    )
    record = run_script(factory, answering([code(cell), "FINAL(1)"]))
    assert record.told[-1] == "Output:\nA C True True"
    assert record.costs.total.failed_calls == 1


def test_an_empty_batch_is_an_empty_list(factory: SidecarREPLFactory) -> None:
    assert run_script(factory, [code("FINAL(llm_query_batched([]))")]).answer.text == "[]"


def test_a_call_that_fails_raises_a_typed_exception_in_the_code(
    factory: SidecarREPLFactory,
) -> None:
    cell = "try:\n    llm_query('fail')\nexcept LLMQueryError as error:\n    FINAL(str(error))"
    record = run_script(factory, answering([code(cell)]))
    assert "no luck" in record.answer.text


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("llm_query(5)", "TypeError: a prompt must be a str, not int"),
        ("llm_query_batched('ab')", "TypeError: llm_query_batched takes a list"),
        ("llm_query_batched(['a', None])", "TypeError: a prompt must be a str, not NoneType"),
        ("llm_query('a', model='other')", "the models here are ['openai/scripted']"),
        ("llm_query_batched(['a'], model='other')", "the models here are ['openai/scripted']"),
    ],
)
def test_a_call_that_cannot_be_made_says_why(
    factory: SidecarREPLFactory, call: str, error: str
) -> None:
    record = run_script(factory, [code(call), "FINAL(1)"])
    assert error in record.told[1]
    assert len(record.requests) == 2


def test_the_model_may_be_named(factory: SidecarREPLFactory) -> None:
    script = answering([code("FINAL(llm_query('x', model='openai/scripted'))")])
    assert run_script(factory, script).answer.text == "X"


def test_the_prompts_of_a_batch_run_at_once_and_no_more_than_may(
    factory: SidecarREPLFactory,
) -> None:
    async def run() -> None:
        cell = "FINAL(llm_query_batched([str(n) for n in range(12)]))"
        model = Meeting(4, [code(cell)])
        options = RunOptions(parallel_calls=4)
        rlm = RLM_REPL(model, repl_factory=factory, options=options)
        assert await rlm.acompletion() == str([str(n) for n in range(12)])
        assert model.most == 4

    asyncio.run(run())


def test_sub_calls_go_to_the_recursive_model(factory: SidecarREPLFactory) -> None:
    script = [code("FINAL(llm_query('x'))")]
    with ScriptedModelServer(script) as root, ScriptedModelServer(["from the other"]) as other:
        rlm = RLM_REPL(model_of(root), model_of(other), repl_factory=factory)
        assert rlm.completion() == "from the other"


def test_the_event_loop_goes_on_while_a_call_is_waited_for(factory: SidecarREPLFactory) -> None:
    async def run() -> None:
        with ScriptedModelServer([code("llm_query('x')"), Stall()]) as server:
            rlm = RLM_REPL(model_of(server), repl_factory=factory)
            running = asyncio.create_task(rlm.acompletion())
            await asyncio.to_thread(server.wait_for_requests, 2, 60)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await asyncio.to_thread(server.wait_for_hangups)

    asyncio.run(run())


def test_a_cell_out_of_time_takes_its_sub_calls_with_it(factory: SidecarREPLFactory) -> None:
    with ScriptedModelServer([code("x = 1\nllm_query('x')"), Stall(), code("FINAL(x)")]) as server:
        options = RunOptions(cell_timeout_s=0.5)
        rlm = RLM_REPL(model_of(server), repl_factory=factory, options=options)
        assert rlm.completion() == "1"
        server.wait_for_hangups()
        assert "stopped because it took longer than 0.5 seconds" in server.requests[2].last


def test_without_depth_there_are_no_models_to_ask(factory: SidecarREPLFactory) -> None:
    script = [
        code("llm_query('x')"),
        code(
            "from rlm_kernel.guest.host import call\n"
            "call('llm_query', {'prompt': 'x', 'model': None})"
        ),
        "FINAL(1)",
    ]
    record = run_script(factory, script, max_depth=0)
    assert "NameError: name 'llm_query' is not defined" in record.told[1]
    assert "HostCallError: NotAvailable" in record.told[2]
    assert "llm_query" not in record.requests[0][0]["content"]


def test_a_child_run_has_its_own_session_and_context_and_its_answer_comes_back(
    factory: SidecarREPLFactory,
) -> None:
    script = [
        code("secret = 1\nFINAL(rlm_query('Count them.', context={'items': (1, 2, 3)}))"),
        code("print('secret' in globals(), 'rlm_query' in globals(), 'llm_query' in globals())"),
        code("FINAL(len(context['items']))"),
    ]
    with ScriptedModelServer(script) as server:
        rlm = RLM_REPL(model_of(server), max_depth=2, repl_factory=factory)
        events = asyncio.run(collect(rlm, "", "Ask a child."))
        assert rlm.last_answer is not None
        assert rlm.last_answer.text == "3"
        assert "Count them." in server.requests[1].last
        assert server.requests[2].last == "Output:\nFalse True True"
    opened = [event for event in events if isinstance(event, SessionOpened)]
    assert [(event.run, event.depth) for event in opened] == [("0", 0), ("0.1", 1)]
    assert len({event.session_id for event in opened}) == 2
    assert rlm.cost_summary().total.calls == 3


def test_a_child_run_that_fails_raises_in_its_parent_and_costs_only_itself(
    factory: SidecarREPLFactory,
) -> None:
    cell = "try:\n    rlm_query('x')\nexcept LLMQueryError as error:\n    FINAL(str(error))"
    record = run_script(factory, [code(cell), Failure(400, "child down")], max_depth=2)
    assert "child down" in record.answer.text


def test_a_cancelled_run_takes_its_children_with_it(factory: SidecarREPLFactory) -> None:
    async def run() -> None:
        with ScriptedModelServer([code("rlm_query('x')"), Stall()]) as server:
            rlm = RLM_REPL(model_of(server), max_depth=2, repl_factory=factory)
            async with aclosing(rlm.astream()) as events:
                async for event in events:
                    if isinstance(event, SessionOpened) and event.depth == 1:
                        break
            if server.requests[1:]:
                await asyncio.to_thread(server.wait_for_hangups)

    asyncio.run(run())
