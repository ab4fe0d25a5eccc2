"""A recorded run as a notebook: valid, whole, and the same again on our kernel, with no model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from rlm_kernel.agent import RLM_REPL, SidecarREPLFactory
from rlm_kernel.agent.models.terms import FREE, Terms
from rlm_kernel.agent.trajectory import Trajectory, notebook, record, save, tree
from rlm_kernel.agent.trajectory.prose import fenced
from rlm_kernel.kernel import kernelspec
from rlm_kernel.manager.client import ManagerClient
from rlm_kernel.testing import ChatRequest, Failure, ScriptedModelServer, Step
from tests.agent.runs import code, model_of
from tests.agent.trajectory.again import (
    as_nbformat,
    assert_same_again,
    outputs_of,
    run_again,
    without_outputs,
)
from tests.agent.trajectory.recorded import lively, lively_run, record_script


def test_a_run_with_everything_comes_out_the_same_again(factory: SidecarREPLFactory) -> None:
    made = assert_same_again(factory, lively_run(factory))
    kinds = {output["output_type"] for outputs in outputs_of(made) for output in outputs}
    assert kinds == {"stream", "display_data", "execute_result", "error"}
    shown = [output.get("data", {}) for outputs in outputs_of(made) for output in outputs]
    assert {"text/plain": "'100 %'"} in shown
    assert shown[-1] == {"text/plain": "10 letters"}
    assert any(data.get("text/html") == "<b>bold</b>" for data in shown)


def test_the_installed_kernel_runs_it_with_no_model_and_no_agent(
    factory: SidecarREPLFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(lively_run(factory), tmp_path / "run.ipynb")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    kernelspec.install(prefix=tmp_path)
    made = nbformat.read(tmp_path / "run.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    done = NotebookClient(without_outputs(made), timeout=60).execute()
    assert outputs_of(done) == outputs_of(made)
    assert made.metadata.kernelspec.name == kernelspec.NAME


@pytest.mark.parametrize(
    "context",
    [
        "line\n" * 10_000,
        "short, with 'quotes' and \\ and \ud800",
        {"a": [1, 2.5, None], "b": (1, 2), 3: {4}},
        b"\x00\xff" * 4_000,
        "",
    ],
    ids=["long text", "odd text", "data", "bytes", "nothing"],
)
def test_the_context_is_what_it_was(factory: SidecarREPLFactory, context: object) -> None:
    look = code("import hashlib\nhashlib.sha256(ascii(context).encode()).hexdigest()")
    assert_same_again(factory, record_script(factory, [look, "FINAL(seen)"], context))


def test_files_are_there_again(factory: SidecarREPLFactory, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.bin").write_bytes(b"\xff\x00")
    look = code("print(sorted(context), context['a.txt'], context['b/c.bin'])\nFINAL(len(context))")
    made = assert_same_again(factory, record_script(factory, [look], tmp_path))
    assert outputs_of(made)[1][0]["text"] == "['a.txt', 'b/c.bin'] one b'\\xff\\x00'\n"


def test_tools_answer_from_the_record(factory: SidecarREPLFactory) -> None:
    def price(item: str, count: int = 1) -> float:
        """What so many cost."""
        if item != "tea":
            raise ValueError(f"no {item} here")
        return 4.5 * count

    asking = (
        "print(price('tea'), price('tea', count=2))\n"
        "try:\n    price('jam')\nexcept ValueError as error:\n    print(error)\n"
        "FINAL(price('tea', 2))"
    )
    with ScriptedModelServer([code(asking)]) as server:
        rlm = RLM_REPL(model_of(server), repl_factory=factory, tools=[price])
        trajectory = asyncio.run(record(rlm))
    made = assert_same_again(factory, trajectory)
    assert outputs_of(made)[1][0]["text"] == "4.5 9.0\nno jam here\n"
    told = [(call.function, call.prompt, call.reply) for call in trajectory.root.sub_calls]
    assert told[1] == ("price", "'tea', count=2", "9.0")
    assert "price (a tool, " in tree(trajectory)


@pytest.mark.parametrize(("pricing", "cost"), [(None, "unpriced"), (FREE, "$0.0000")])
def test_what_has_no_price_is_not_said_to_cost_nothing(
    factory: SidecarREPLFactory, pricing: Terms | None, cost: str
) -> None:
    trajectory = record_script(factory, ["FINAL(1)"], pricing=pricing)
    assert f"| cost | {cost} |" in notebook(trajectory)["cells"][-1]["source"]


def test_a_further_question_says_that_it_is_one(factory: SidecarREPLFactory) -> None:
    with (
        ScriptedModelServer([code("x = 1"), "FINAL(1)", "FINAL(2)"]) as server,
        RLM_REPL(model_of(server), repl_factory=factory, persistent=True) as rlm,
    ):
        asyncio.run(record(rlm, "abc", "First?"))
        second = asyncio.run(record(rlm, "", "Second?"))
    assert second.root.question == 2
    assert "It was question 2 of a conversation." in notebook(second)["cells"][0]["source"]


def test_sub_calls_that_failed_fail_again(factory: SidecarREPLFactory) -> None:
    def script(request: ChatRequest) -> Step:
        if request.last == "bad":
            return Failure(400, "no such thing")
        if request.last in ("one", "two"):
            return f"reply {request.index}"
        asking = (
            "try:\n    llm_query('bad')\nexcept LLMQueryError as error:\n    print(error)\n"
            "print(llm_query_batched(['one', 'bad', 'two']), llm_query('one'), llm_query('one'))\n"
            "FINAL_VAR('asking')"
        )
        return code("asking = 'asked'\n" + asking)

    made = assert_same_again(factory, record_script(factory, script))
    printed = outputs_of(made)[1][0]["text"]
    assert "no such thing" in printed
    assert len(set(printed.split("reply ")[1:])) == 4, "each call has its own reply"


def test_sub_calls_that_were_awaited_answer_again(factory: SidecarREPLFactory) -> None:
    def script(request: ChatRequest) -> Step:
        if request.last == "bad":
            return Failure(400, "no such thing")
        if request.last in ("one", "two"):
            return f"reply {request.index}"
        asking = (
            "import asyncio\n"
            "asked = [allm_query(each) for each in ('one', 'bad', 'two', 'one')]\n"
            "replies = await asyncio.gather(*asked, return_exceptions=True)\n"
            "for reply in replies:\n    print(reply, getattr(reply, 'code', ''))\n"
            "print(await allm_query('one'))\nFINAL(1)"
        )
        return code(asking)

    printed = outputs_of(assert_same_again(factory, record_script(factory, script)))[1][0]["text"]
    assert "model_failed" in printed
    assert len(set(printed.split("reply ")[1:])) == 4, "each call has its own reply"


def test_children_in_copies_of_the_session_answer_again(factory: SidecarREPLFactory) -> None:
    def script(request: ChatRequest) -> Step:
        if "double" in request.last:
            return code("number *= 2\nprint(number)\nFINAL(number)")
        asking = (
            "number = 21\n"
            "print(rlm_query('double it', fork=True), number)\n"
            "print(rlm_query_batched(['double a', 'double b'], [[1], [2]], fork=True))\n"
            "FINAL(number)"
        )
        return code(asking)

    trajectory = record_script(factory, script, max_depth=2)
    made = assert_same_again(factory, trajectory)
    assert outputs_of(made)[1][0]["text"] == "42 21\n['42', '42']\n"
    assert [run.name for run in trajectory.runs()] == ["0", "0.1", "0.2", "0.3"]
    assert refusal(factory, notebook(trajectory, "0.1")) == (
        "the context is not in this notebook: it is in the session of the run that began this one"
    )


def test_a_call_that_was_not_made_has_no_reply(factory: SidecarREPLFactory) -> None:
    made = notebook(record_script(factory, [code("print(len(context))"), "FINAL(3)"], "abc"))
    cells = [cell for cell in made["cells"] if cell["cell_type"] == "code"]
    cells[1]["source"] = "llm_query('something else')"
    with pytest.raises(CellExecutionError, match="was not called in this way in the recorded run"):
        run_again(factory, made)


def test_what_was_stopped_is_not_run_again(factory: SidecarREPLFactory) -> None:
    stubborn = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    script = [
        code("print('soon')\nwhile True: pass"),
        code("undone = 1\n" + stubborn),
        code("print('undone' in globals())\nkept = 2"),
        code("FINAL(kept)"),
    ]
    made = assert_same_again(factory, record_script(factory, script, cell_timeout_s=0.5))
    facts = [cell["metadata"]["rlm_kernel"] for cell in made["cells"] if "tags" in cell["metadata"]]
    assert [each["timed_out"] for each in facts] == [True, True]
    assert facts[0]["state"] == "kept"
    assert facts[1]["state"] in ("rolled_back", "lost")
    words = "".join(cell["source"] for cell in made["cells"] if cell["cell_type"] == "markdown")
    assert "here they are missing" in words
    assert "What it did was undone" in words or "all variables were gone" in words


def test_a_session_that_was_lost_is_lost_again(factory: SidecarREPLFactory) -> None:
    async def restart() -> None:
        async with ManagerClient(factory.url, token=factory.token) as manager:
            (session,) = await manager.list_sessions()
            await manager.restart(session.session_id)

    def script(request: ChatRequest) -> Step:
        if request.index == 1:
            asyncio.run(restart())
        return [
            code("mine = 1\nprint(mine)"),
            code("1 + 1"),
            code("print('mine' in globals(), context)\nFINAL(len(context))"),
        ][request.index]

    trajectory = record_script(factory, script, "abc")
    assert [block.state for block in trajectory.root.blocks] == ["kept", "lost", "kept"]
    made = assert_same_again(factory, trajectory)
    assert any("recorded.start_anew()" in cell["source"] for cell in made["cells"])


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("The answer:\n\nFINAL(it's (about) three)", "it's (about) three"),
        ("FINAL(number + 1)", "42"),
        ("FINAL_VAR(number)", "41"),
        (code("answer['content'] = number\nanswer['ready'] = True"), "41"),
        (code("FINAL(number)") + "\nFINAL(another)", "41"),
        ("```\nFINAL(plain words)\n```", "plain words"),
    ],
)
def test_however_an_answer_is_given_it_is_given_again(
    factory: SidecarREPLFactory, reply: str, answer: str
) -> None:
    made = assert_same_again(factory, record_script(factory, [code("number = 41"), reply]))
    assert outputs_of(made)[-1][0]["data"] == {"text/plain": answer}


def test_a_forced_answer_is_in_the_notebook(factory: SidecarREPLFactory) -> None:
    made = assert_same_again(
        factory, record_script(factory, ["hm", "I would say 7"], max_iterations=1)
    )
    assert outputs_of(made)[-1][0]["data"] == {"text/plain": "I would say 7"}
    assert any("was made to answer" in cell["source"] for cell in made["cells"])


def test_a_large_context_is_beside_the_notebook(
    factory: SidecarREPLFactory, tmp_path: Path
) -> None:
    text = Random(1).randbytes(2_000_000).hex()
    trajectory = record_script(
        factory, [code("print(hash(context) != 0)\nFINAL(context[-9:])")], text
    )
    written = save(trajectory, tmp_path / "run.ipynb")
    assert [path.name for path in written] == ["run.ipynb", "run.context"]
    assert (tmp_path / "run.ipynb").stat().st_size < 100_000
    made = nbformat.read(tmp_path / "run.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    beside = {"run.context": (tmp_path / "run.context").read_bytes()}
    assert outputs_of(run_again(factory, made, beside)) == outputs_of(made)
    with pytest.raises(CellExecutionError, match="is not the context of this run"):
        run_again(factory, made, {"run.context": b"another"})


def test_a_context_that_is_missing_is_named_in_one_line(factory: SidecarREPLFactory) -> None:
    trajectory = record_script(factory, [code("FINAL(len(context))")], "x" * 5_000)
    beside = notebook(trajectory, context_file="run.context", embedded_bytes=10)
    assert refusal(factory, beside) == (
        "the context is in the file run.context beside the notebook: put it into the session first"
    )
    nowhere = notebook(trajectory, embedded_bytes=10)
    assert refusal(factory, nowhere).startswith(
        "the context is not in this notebook: it was too large, 5,000"
    )


def refusal(factory: SidecarREPLFactory, made: dict[str, object]) -> str:
    """The traceback of the first cell: a line."""
    fresh = without_outputs(made)
    for cell in fresh.cells:
        cell.metadata.tags = ["raises-exception"]
    (error,) = run_again(factory, fresh).cells[1].outputs
    (line,) = error.traceback
    return str(line)


def test_a_child_has_a_notebook_of_its_own(factory: SidecarREPLFactory) -> None:
    trajectory = record_script(factory, lively, "some words here", max_depth=2)
    made = notebook(trajectory, "0.1")
    assert "context=[1, 2, 3]" in as_nbformat(made).cells[1].source
    assert outputs_of(run_again(factory, made)) == outputs_of(made)
    with pytest.raises(KeyError):
        notebook(trajectory, "0.2")


def test_a_child_is_told_of_in_the_notebook_of_its_parent(factory: SidecarREPLFactory) -> None:
    cells = notebook(record_script(factory, lively, "some words here", max_depth=2))["cells"]
    (told,) = (cell["source"] for cell in cells if cell["source"].startswith("## Child runs"))
    for wanted in ("### Run 0.1", "add", "print(sum(context))", "#### Run 0.1: Answer"):
        assert wanted in told


def test_prompts_and_replies_are_attachments(factory: SidecarREPLFactory) -> None:
    cells = notebook(lively_run(factory))["cells"]
    (told,) = (cell for cell in cells if "`llm_query`" in cell["source"])
    assert told["attachments"]["4-prompt.txt"] == {"text/plain": "sum"}
    assert told["attachments"]["4-reply.txt"] == {"text/plain": "fifteen"}
    assert "(attachment:4-reply.txt)" in told["source"]


def test_words_of_others_are_no_markup() -> None:
    assert fenced("a\n````\n# no heading", "text") == "`````text\na\n````\n# no heading\n`````"


def test_the_same_run_makes_the_same_notebook(factory: SidecarREPLFactory) -> None:
    trajectory = lively_run(factory)
    again = Trajectory.model_validate_json(trajectory.model_dump_json())
    assert notebook(trajectory) == notebook(again)


def test_calls_that_were_awaited_and_their_failures_come_out_the_same_again(
    factory: SidecarREPLFactory,
) -> None:
    cell = (
        "import asyncio\n"
        "words = ['a', 'b', 'fail']\n"
        "r = await asyncio.gather(*map(allm_query, words), return_exceptions=True)\n"
        "print([getattr(each, 'code', each) for each in r])\n"
        "print(await allm_query('c'), rlm_query('look', fork=True))\n"
        "print([getattr(each, 'code', each) for each in llm_query_batched(['fail', 'd'])])"
    )

    def reply(request: ChatRequest) -> Step:
        if len(request.messages) == 1:
            return Failure(400, "no") if request.last == "fail" else request.last.upper()
        if "Question: What is it?" in request.last:
            return code(cell)
        return code("FINAL(len(words))") if len(request.messages) == 2 else "FINAL(done)"

    made = notebook(record_script(factory, reply, max_depth=2))
    for each in (made, run_again(factory, made)):
        shown = "".join(o.get("text", "") for outputs in outputs_of(each) for o in outputs)
        assert shown == "['A', 'B', 'model_failed']\nC 3\n['model_failed', 'D']\n"
