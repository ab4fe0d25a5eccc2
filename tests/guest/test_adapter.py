"""What a session offers to other libraries' agents, with a namespace in place of a session's."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlm_kernel.guest.adapter import Adapter, Submitted
from rlm_kernel.guest.answering import ANSWER_TYPE
from rlm_kernel.guest.host import HostCallError

SEARCH = {"name": "search", "signature": "(query)", "doc": "Find things."}


def ended(value: Any = None, error: BaseException | None = None) -> SimpleNamespace:
    return SimpleNamespace(success=error is None, result=value, error_in_exec=error)


def report(adapter: Adapter) -> dict[str, Any]:
    state = adapter.answered()._repr_mimebundle_()[ANSWER_TYPE]
    told: dict[str, Any] = json.loads(state["text"])
    return told


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (HostCallError("ValueError", "no"), ValueError("no")),
        (HostCallError("UnicodeDecodeError", "no"), RuntimeError("UnicodeDecodeError: no")),
        (HostCallError("KeyboardInterrupt", ""), RuntimeError("KeyboardInterrupt: ")),
        (HostCallError("print", "no"), RuntimeError("print: no")),
    ],
)
def test_errors_of_the_host_are_raised_as_what_they_were(
    failure: HostCallError, raised: Exception
) -> None:
    def call(name: str, args: dict[str, Any]) -> Any:
        raise failure

    namespace: dict[str, Any] = {}
    Adapter(namespace, call).offer([SEARCH])
    with pytest.raises(type(raised)) as caught:
        namespace["search"]("x")
    assert str(caught.value) == str(raised)


def test_a_function_that_is_offered_no_more_is_gone_unless_it_is_the_users_by_now() -> None:
    namespace: dict[str, Any] = {}
    adapter = Adapter(namespace)
    adapter.offer([SEARCH, {**SEARCH, "name": "other"}])
    namespace["other"] = "mine"
    adapter.offer([])
    assert namespace == {"other": "mine"}


def test_a_submission_belongs_to_the_cell_that_it_ended() -> None:
    adapter = Adapter({})
    adapter.offer([], submits=True, fields=["a"])
    adapter.before_cell()
    with pytest.raises(Submitted) as submitted:
        adapter.submit((1, 2))
    adapter.after_cell(ended(error=submitted.value))
    adapter.after_cell(ended())  # the agent asks by an empty cell
    assert report(adapter)["submission"] == {"a": [1, 2]}
    adapter.before_cell()
    assert report(adapter)["submission"] is None


def test_a_cell_that_was_interrupted_has_no_result_and_gives_nothing() -> None:
    namespace: dict[str, Any] = {}
    adapter = Adapter(namespace)
    adapter.offer([], answers=True)
    adapter.before_cell()
    namespace["answer"] = {"content": "x", "ready": True}
    adapter.after_cell(None)
    assert report(adapter)["answer"] is None


class Unspeakable:
    """What has neither a text nor a truth value, and whose error has no text either."""

    def __str__(self) -> str:
        raise Unreadable

    def __bool__(self) -> bool:
        raise Unreadable

    def tolist(self) -> list[Any]:
        raise Unreadable


class Unreadable(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("content", "reason"),
    [(Unspeakable(), "Unreadable"), ([10**5000], "ValueError: Exceeds the limit")],
    ids=["object", "int"],
)
def test_an_answer_that_cannot_be_made_text_is_none_and_costs_nothing_else(
    capsys: pytest.CaptureFixture[str], content: object, reason: str
) -> None:
    namespace: dict[str, Any] = {}
    adapter = Adapter(namespace)
    adapter.offer([], submits=True, answers=True)
    adapter.before_cell()
    namespace.update(answer={"content": content, "ready": True}, kept=1)
    adapter.after_cell(ended(7))
    said = capsys.readouterr().out
    assert said.startswith(f"There is no answer yet: str() of it failed with {reason}")
    told = report(adapter)
    assert (told["answer"], told["value"], told["submission"]) == (None, 7, None)
    assert told["variables"]["kept"] == "1"


def test_a_refused_answer_that_cannot_be_made_text_is_told_as_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    namespace: dict[str, Any] = {}
    adapter = Adapter(namespace)
    adapter.offer([], submits=True, answers=True)
    adapter.before_cell()
    namespace["answer"] = {"content": Unspeakable(), "ready": True}
    with pytest.raises(Submitted) as submitted:
        adapter.submit(1)
    adapter.after_cell(ended(error=submitted.value))
    assert "refused" in capsys.readouterr().out
    assert report(adapter)["submission"] == {"output": 1}


def test_a_claim_whose_ready_is_neither_true_nor_false_is_none() -> None:
    namespace: dict[str, Any] = {}
    adapter = Adapter(namespace)
    adapter.offer([], answers=True)
    adapter.before_cell()
    namespace["answer"] = {"content": "x", "ready": Unspeakable()}
    adapter.after_cell(ended())
    assert report(adapter)["answer"] is None


def test_a_value_that_cannot_be_made_plain_costs_no_answer() -> None:
    namespace: dict[str, Any] = {}
    adapter = Adapter(namespace)
    adapter.offer([], answers=True)
    adapter.before_cell()
    namespace["answer"] = {"content": "x", "ready": True}
    adapter.after_cell(ended(Unspeakable()))
    told = report(adapter)
    assert (told["answer"], told["value"]) == ("x", None)


def test_variables_are_set_once_and_fixed_ones_before_each_cell(tmp_path: Path) -> None:
    namespace: dict[str, Any] = {}
    adapter = Adapter(namespace)
    file = tmp_path / "value"

    def assign(name: str, text: str, *, fixed: bool) -> None:
        file.write_text(text)
        adapter.assign(name, str(file), "text", text, fixed=fixed)
        assert not file.exists()

    assign("free", "first", fixed=False)
    assign("fixed", "first", fixed=True)
    adapter.alias("second", "fixed")
    namespace.update(free="mine", fixed="mine", second="mine")
    assign("free", "first", fixed=False)
    adapter.before_cell()
    assert namespace == {"free": "mine", "fixed": "first", "second": "first"}
    assign("free", "later", fixed=False)
    assert namespace["free"] == "later"


def test_what_is_in_a_report_is_short() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError

    namespace: dict[str, Any] = {"text": "x" * 1000, "odd": Odd(), "n": 1, "_hidden": 2, "f": ended}
    adapter = Adapter(namespace)
    adapter.offer([SEARCH], answers=True)
    assert report(adapter)["variables"] == {
        "text": "<str of length 1000>",
        "odd": "<Odd>",
        "n": "1",
        "f": "<function ended>",
        "answer": "{'content': '', 'ready': False}",
    }
