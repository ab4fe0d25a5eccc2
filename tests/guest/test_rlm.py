"""The model's functions, with a namespace and a host that stand in for a session's."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlm_kernel.guest import rlm
from rlm_kernel.guest.answering import ANSWER_TYPE
from rlm_kernel.guest.rlm import Functions, TextTable, install, load

SUB_CALLS = {
    "LLMQueryError",
    "llm_query",
    "llm_query_batched",
    "allm_query",
    "rlm_query",
    "rlm_query_batched",
    "arlm_query",
}
OK = SimpleNamespace(success=True)
RAISED = SimpleNamespace(success=False)


class Host:
    """Records calls; answers with `reply`, or raises it."""

    def __init__(self, reply: Any = None) -> None:
        self.reply = reply
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, name: str, args: dict[str, Any]) -> Any:
        self.calls.append((name, args))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def furnished(host: Host | None = None, **variables: Any) -> tuple[Functions, dict[str, Any]]:
    namespace = dict(variables)
    functions = Functions(namespace, host or Host())
    functions.offer(sub_calls=True, recursion=True)
    return functions, namespace


def answered(functions: Functions) -> tuple[bool, str | None, str]:
    state = functions.answered()._repr_mimebundle_()[ANSWER_TYPE]
    assert json.loads(json.dumps(state)) == state
    return state["answered"], state["text"], state["source"]


@pytest.mark.parametrize(
    ("sub_calls", "recursion", "there"),
    [
        (False, False, set()),
        (True, False, SUB_CALLS),
        (True, True, SUB_CALLS),
    ],
)
def test_only_what_can_be_called_is_offered(
    sub_calls: bool, recursion: bool, there: set[str]
) -> None:
    namespace: dict[str, Any] = {}
    Functions(namespace, Host()).offer(sub_calls=sub_calls, recursion=recursion)
    always = {"FINAL", "FINAL_VAR", "SUBMIT", "SHOW_VARS", "answer"}
    assert set(namespace) == there | always


def test_an_answer_belongs_to_the_cell_that_gave_it() -> None:
    functions, namespace = furnished()
    functions.before_cell()
    namespace["FINAL"]("x")
    assert answered(functions) == (True, "x", "FINAL")
    functions.before_cell()
    assert answered(functions) == (False, None, "answer")


def test_a_claim_by_the_variable_does_not_outlive_its_cell_either() -> None:
    functions, namespace = furnished()
    namespace["answer"] = {"content": "x", "ready": True}
    assert answered(functions) == (True, "x", "answer")
    functions.before_cell()
    assert namespace["answer"] == {"content": "x", "ready": False}


@pytest.mark.parametrize(
    ("answer", "result", "said"),
    [
        ({"content": "x", "ready": True}, RAISED, "refused"),
        ({"content": "", "ready": True}, OK, "is empty"),
        ({"ready": True}, OK, "is empty"),
        ({"content": "x", "ready": True}, OK, ""),
        ({"content": "", "ready": False}, RAISED, ""),
        ("not a dict", RAISED, ""),
    ],
)
def test_a_refused_claim_is_told_in_the_cells_own_output(
    capsys: pytest.CaptureFixture[str], answer: object, result: object, said: str
) -> None:
    functions, namespace = furnished()
    namespace["answer"] = answer
    functions.after_cell(result)
    output = capsys.readouterr().out
    assert said in output
    assert bool(said) == bool(output)


def test_of_a_cell_that_was_interrupted_an_answer_is_refused_and_nothing_else_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    functions, namespace = furnished()
    functions.after_cell(None)
    assert capsys.readouterr().out == ""
    namespace["FINAL"](1)
    functions.after_cell(None)
    assert "refused" in capsys.readouterr().out


class Unspeakable:
    """What has neither a text nor a truth value."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


@pytest.mark.parametrize(
    ("value", "reason"),
    [(10**5000, "ValueError: Exceeds the limit"), (Unspeakable(), "RuntimeError: no words")],
    ids=["int", "object"],
)
@pytest.mark.parametrize("way", ["FINAL", "FINAL_VAR", "answer"])
def test_what_cannot_be_made_text_is_no_answer_and_the_model_is_told(
    capsys: pytest.CaptureFixture[str], way: str, value: object, reason: str
) -> None:
    functions, namespace = furnished(x=value)
    if way == "answer":
        namespace["answer"] = {"content": value, "ready": True}
    else:
        namespace[way](value if way == "FINAL" else "x")
    functions.after_cell(OK)
    said = capsys.readouterr().out
    assert said.startswith(f"There is no answer yet: str() of it failed with {reason}")
    assert answered(functions) == (False, None, "")


def test_a_value_whose_data_cannot_be_had_is_an_answer_as_text() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

        def tolist(self) -> list[Any]:
            raise RuntimeError("no data")

    functions, namespace = furnished()
    namespace["FINAL"](Odd())
    assert answered(functions) == (True, "odd", "FINAL")
    assert functions.answered().state["problem"] == "no data"


def test_a_claim_whose_ready_is_neither_true_nor_false_is_none() -> None:
    functions, namespace = furnished()
    namespace["answer"] = {"content": "x", "ready": Unspeakable()}
    functions.after_cell(OK)
    assert not answered(functions)[0]
    functions.before_cell()


def test_a_long_integer_is_listed_by_its_length() -> None:
    _, namespace = furnished(n=10**5000)
    assert "n: int of 16,610 bits" in str(namespace["SHOW_VARS"]())


def test_variables_are_listed_without_what_is_not_the_models() -> None:
    _, namespace = furnished(
        _hidden=1, In=[], json=json, n=3, text="a" * 100, short="a", items={1, 2}, kind=int, f=len
    )
    table = namespace["SHOW_VARS"]()
    assert isinstance(table, TextTable)
    assert repr(table).splitlines() == [
        "n: int = 3",
        "text: str of 100 characters",
        "short: str of 1 characters = 'a'",
        "items: set of 2 items",
        "kind: type",
        "f: builtin_function_or_method",
        "answer: dict of 2 items",
    ]


class Shell:
    """What `install` needs of IPython's."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}
        self.hooks: dict[str, list[Any]] = {"pre_run_cell": [], "post_run_cell": []}
        self.events = SimpleNamespace(
            register=lambda event, hook: self.hooks[event].append(hook),
            unregister=lambda event, hook: self.hooks[event].remove(hook),
        )


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    """That of a session in which nothing was installed."""
    monkeypatch.setattr(rlm, "_hooks", {})
    monkeypatch.setattr(rlm, "_installed", [])
    return Shell()


def test_a_copy_finds_what_was_handed_to_it_and_has_its_own_functions(
    tmp_path: Path, shell: Shell
) -> None:
    path, given = tmp_path / "context", object()

    def installed(text: str, form: str, *, sub_calls: bool) -> None:
        path.write_text(text)
        file = (str(path), form, ("context",))
        install(shell, [file], sub_calls=sub_calls, recursion=True)

    installed("all", "text", sub_calls=True)
    before = shell.user_ns["llm_query"]
    shell.user_ns["_rlm"]._queries.handed["1"] = ("the cell", given)
    installed("1", "handed", sub_calls=True)
    assert shell.user_ns["context"] is given
    assert shell.user_ns["llm_query"] != before
    installed("", "handed", sub_calls=False)
    assert shell.user_ns["context"] is given
    assert SUB_CALLS.isdisjoint(shell.user_ns)


def test_the_context_file_is_read_and_then_gone(tmp_path: Path, shell: Shell) -> None:
    path = tmp_path / "context"
    path.write_text('{"$type": "tuple", "items": [1]}')
    files = [(str(path), "json", ("context", "context_0"))]
    install(shell, files, sub_calls=False, recursion=False)
    assert shell.user_ns["context"] == (1,)
    assert shell.user_ns["context_0"] is shell.user_ns["context"]
    assert not path.exists()
    path.write_bytes(b"\xff")
    install(shell, [(str(path), "bytes", ("context",))], sub_calls=False, recursion=False)
    assert shell.user_ns["context"] == b"\xff"
    assert [len(registered) for registered in shell.hooks.values()] == [1, 1]


def test_text_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "context"
    path.write_bytes("a\r\n\ud800".encode("utf-8", "surrogatepass"))
    assert load(str(path), "text") == "a\r\n\ud800"
