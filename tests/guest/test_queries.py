"""Sub-calls as a session's code makes them, with a host that stands in for the agent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rlm_kernel.guest.events import current_request
from rlm_kernel.guest.host import HostCallError
from rlm_kernel.guest.queries import CALL_MAX, TEXT_MAX, LLMQueryError, Queries
from rlm_kernel.guest.values import pack


class Host:
    """Records calls; answers with `reply`, or raises it."""

    def __init__(self, reply: Any = None) -> None:
        self.reply = reply
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.handed: list[dict[str, Any]] = []
        self.queries = Queries({"context": "all of it"}, self, self.later)
        self.queries.recursion = True

    def __call__(self, name: str, args: dict[str, Any]) -> Any:
        self.calls.append((name, args))
        kept = self.queries.handed.items()
        self.handed.append({key: context for key, (_, context) in kept})
        if isinstance(self.reply, BaseException):
            raise self.reply
        return self.reply

    async def later(self, name: str, args: dict[str, Any]) -> Any:
        return self(name, args)


def test_a_call_crosses_with_its_arguments_and_returns_the_text() -> None:
    host = Host("reply")
    assert host.queries.llm_query("p", model="m") == "reply"
    assert host.calls == [("llm_query", {"prompt": "p", "model": "m"})]


async def test_an_awaited_call_crosses_alike() -> None:
    host = Host("reply")
    assert await host.queries.allm_query("p") == "reply"
    assert await host.queries.arlm_query("t", 5) == "reply"
    assert host.calls == [
        ("llm_query", {"prompt": "p", "model": None}),
        ("rlm_query", {"task": "t", "model": None, "context": 5}),
    ]


def test_a_batch_is_one_call_and_each_failure_has_its_code() -> None:
    error = {"ename": "ModelUnavailable", "evalue": "too busy", "code": "model_unavailable"}
    host = Host([{"ok": "a"}, {"error": error}])
    first, second = host.queries.llm_query_batched(iter(["x", "y"]))
    assert host.calls == [("llm_query_batched", {"prompts": ["x", "y"], "model": None})]
    assert first == "a"
    assert isinstance(second, LLMQueryError)
    assert (str(second), second.code) == ("too busy", "model_unavailable")


@pytest.mark.parametrize("reply", ["a person's text", [{"ok": "only one"}]])
def test_a_batch_answered_in_another_form_is_an_error(reply: object) -> None:
    with pytest.raises(LLMQueryError, match="2 replies were expected"):
        Host(reply).queries.llm_query_batched(["x", "y"])


async def test_a_failed_host_call_is_an_llm_query_error_with_its_code() -> None:
    queries = Host(HostCallError("ModelError", "down", "model_failed")).queries
    with pytest.raises(LLMQueryError, match=r"^down$") as raised:
        queries.llm_query("p")
    assert raised.value.code == "model_failed"
    with pytest.raises(LLMQueryError, match=r"^down$"):
        await queries.allm_query("p")


def test_a_childs_context_is_packed() -> None:
    host = Host("5")
    assert host.queries.rlm_query("task", context=(1, b"2")) == "5"
    packed = pack((1, b"2"))
    assert host.calls == [("rlm_query", {"task": "task", "model": None, "context": packed})]


def test_a_large_context_is_left_to_be_fetched() -> None:
    host, context = Host("5"), ["x" * CALL_MAX, b"y"]
    host.queries.rlm_query("task", context)
    ((_, asked),) = host.calls
    assert (asked["kind"], asked["note"], asked["fork"]) == ("list", "of 2 items", False)
    assert json.loads(host.handed[0][asked["handed"]]) == pack(context)


def test_a_child_in_a_copy_finds_its_context_there_while_it_is_made() -> None:
    host, context = Host("5"), object()
    assert host.queries.rlm_query("task", context, fork=True) == "5"
    ((_, asked),) = host.calls
    assert (asked["kind"], asked["note"]) == ("object", "an object")
    assert host.handed == [{asked["handed"]: context}]
    assert host.queries.handed == {}


def test_a_child_in_a_copy_may_keep_the_context_of_its_parent() -> None:
    host = Host("5")
    host.queries.rlm_query("task", fork=True)
    ((_, asked),) = host.calls
    assert (asked["handed"], asked["kind"]) == ("", "str")
    assert asked["note"] == "of 9 characters = 'all of it'"


def test_a_failed_call_leaves_nothing_handed() -> None:
    host = Host(HostCallError("ForkFailed", "no", "fork_failed"))
    with pytest.raises(LLMQueryError):
        host.queries.rlm_query("task", [1], fork=True)
    assert host.queries.handed == {}


def test_what_a_cell_left_that_was_interrupted_is_let_go_by_the_next() -> None:
    host = Host(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        host.queries.rlm_query("task", [1], fork=True)
    assert [context for _, context in host.queries.handed.values()] == [[1]]
    token = current_request.set("the next")
    try:
        with pytest.raises(KeyboardInterrupt):
            host.queries.rlm_query("task", [2], fork=True)
    finally:
        current_request.reset(token)
    assert [context for _, context in host.queries.handed.values()] == [[2]]


def test_each_task_of_a_batch_has_its_context() -> None:
    host = Host([{"ok": "a"}, {"ok": "b"}])
    assert host.queries.rlm_query_batched(["x", "y"], [1, {2}]) == ["a", "b"]
    ((name, args),) = host.calls
    assert name == "rlm_query_batched"
    assert [task["context"] for task in args["tasks"]] == [1, pack({2})]
    host.queries.rlm_query_batched(["x", "y"], [1, 2], fork=True)
    assert sorted(host.handed[-1].values()) == [1, 2]


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        (lambda q: q.llm_query(5), TypeError, "a prompt must be a str, not int"),
        (lambda q: q.llm_query_batched("ab"), TypeError, "takes a list of prompts"),
        (lambda q: q.rlm_query_batched("ab"), TypeError, "takes a list of tasks"),
        (lambda q: q.rlm_query_batched(["a"], [1, 2]), ValueError, "1 tasks, but 2 contexts"),
        (lambda q: q.rlm_query("t", object()), TypeError, "context is of type object"),
    ],
)
def test_what_cannot_be_asked_says_why(call: Any, error: type[Exception], reason: str) -> None:
    host = Host()
    with pytest.raises(error, match=reason):
        call(host.queries)
    assert host.calls == []


def test_where_no_agent_can_be_started_a_context_goes_as_text() -> None:
    host = Host("5")
    host.queries.recursion = False
    host.queries.rlm_query("t", "a text")
    host.queries.rlm_query("t", [1, {2}], fork=True)
    host.queries.rlm_query("t", "x" * (TEXT_MAX + 5))
    host.queries.rlm_query("t")
    shown = [(args.get("text"), args.get("length")) for _, args in host.calls]
    assert shown == [
        ("a text", 6),
        ("[1, {2}]", 8),
        ("x" * TEXT_MAX, TEXT_MAX + 5),
        (None, None),
    ]
