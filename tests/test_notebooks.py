"""The notebooks in `notebooks/`: run on our kernel, they come out as they are committed.

`RLM_KERNEL_REWRITE_NOTEBOOKS=1 pytest tests/test_notebooks.py` writes what came out into them.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from rlm_kernel.agent.manager_process import ManagerProcess
from rlm_kernel.kernel import kernelspec
from rlm_kernel.manager.client import ManagerClient
from tests.agent.processes import below
from tests.agent.trajectory.again import Attached, joined, shown

FOLDER = Path(__file__).parents[1] / "notebooks"
OPTIONS: dict[str, Any] = {"timeout": 120}
REWRITES = bool(os.environ.get("RLM_KERNEL_REWRITE_NOTEBOOKS"))


def read(name: str) -> Any:
    notebook: Any = nbformat.read(FOLDER / name, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook: Any, *tags: str) -> list[Any]:
    """Its cells of code; with tags, those that have one of them."""
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and (not tags or set(tags) & set(cell.metadata.get("tags", [])))
    ]


def cleared(notebook: Any) -> Any:
    """A copy as it is before anything has run."""
    fresh = nbformat.from_dict(notebook)  # type: ignore[no-untyped-call]
    for cell in code_cells(fresh):
        cell.outputs, cell.execution_count = [], None
    return fresh


def comparable(cells: Iterable[Any]) -> list[Any]:
    return [(cell.source, [shown(output) for output in joined(cell.outputs)]) for cell in cells]


def check(name: str, done: Any) -> None:
    """What came out is what is committed; or else, where that is asked for, it will be."""
    if REWRITES:
        for cell in done.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(done, FOLDER / name)  # type: ignore[no-untyped-call]
    committed = read(name)
    assert comparable(code_cells(done)) == comparable(code_cells(committed))
    assert any(cell.execution_count for cell in code_cells(committed)), "it was never run"


def run(notebook: Any) -> Any:
    """The notebook as the kernel that it names leaves it."""
    return NotebookClient(notebook, **OPTIONS).execute()


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernelspec where Jupyter looks."""
    monkeypatch.setenv("JUPYTER_PATH", str(folder / "share" / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
    kernelspec.install(prefix=folder)


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManagerProcess]:
    """One that gives each cell two seconds."""
    monkeypatch.setenv("RLM_KERNEL_CELL_TIMEOUT", "2")
    with ManagerProcess() as process:
        yield process


def test_a_session_and_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch)
    notebook = read("session.ipynb")
    assert notebook.metadata.kernelspec.name == kernelspec.NAME
    check("session.ipynb", run(cleared(notebook)))


def test_an_rlm_on_a_long_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real run of the local model; its notebook needs none, since it answers from the record."""
    installed(tmp_path, monkeypatch)
    notebook = read("long_document.ipynb")
    done = run(cleared(notebook))
    assert comparable(code_cells(done)) == comparable(code_cells(notebook))
    assert (
        "Number of functions defined: 719" in code_cells(notebook)[-1].outputs[0].data["text/plain"]
    )


def test_attach_and_watch_an_agent(manager: ManagerProcess) -> None:
    """The agent's process is given its Enter where the notebook says that one is to press it."""
    with watched_agent(manager) as agent:
        session = re.search(r"session (\S+)", wait_for(agent, "session "))
        assert session
        wait_for(agent, "words have more than 7 letters")

        def press_enter(cell: Any, **_: Any) -> None:
            if "press-enter" in cell.metadata.get("tags", []):
                write(agent, "\n")
                wait_for(agent, "words have more than 8 letters")

        done = asyncio.run(
            run_in(manager, session[1], cleared(read("attach.ipynb")), on_cell_start=press_enter)
        )
        found = code_cells(done, "press-enter")[0].outputs[0].data["text/plain"]
        answer, _ = agent.communicate("\n", timeout=60)
    assert answer.splitlines()[-1].endswith(", ".join(re.findall(r"'(\w+)'", found)))
    check("attach.ipynb", done)


def test_rollback_and_fork(manager: ManagerProcess) -> None:
    """The fork is made from outside, where the notebook says that one is to make it."""
    notebook = read("fork_and_rollback.ipynb")
    check("fork_and_rollback.ipynb", asyncio.run(in_two_sessions(manager, cleared(notebook))))


async def in_two_sessions(manager: ManagerProcess, notebook: Any) -> Any:
    """The notebook, of which each cell runs in the session that it is meant for."""
    async with ManagerClient(manager.url, token=manager.token) as client:
        first = (await client.create_session()).session_id
        others = code_cells(notebook, "in-the-fork", "in-the-first")
        for cell in code_cells(notebook):
            if cell not in others:
                async with copied(manager):
                    await run_in(manager, first, part_of(notebook, [cell]))
        fork = (await client.fork_session(first)).session_id
        await run_in(manager, fork, part_of(notebook, code_cells(notebook, "in-the-fork")))
        await run_in(manager, first, part_of(notebook, code_cells(notebook, "in-the-first")))
    return notebook


@asynccontextmanager
async def copied(manager: ManagerProcess) -> AsyncIterator[None]:
    """Leaves when the session has a new copy: there are a zygote, a process of it, and the copy.

    A person is slower than the few milliseconds after which it is made; nbclient is not.
    """
    before = below(manager.pid)
    yield
    async with asyncio.timeout(60):
        now = before
        while not (len(now - before) == 1 and len(now) == 3):
            await asyncio.sleep(0.02)
            now = below(manager.pid)


def part_of(notebook: Any, cells: list[Any]) -> Any:
    """A notebook of some of its cells: the same objects, so that what runs there shows here."""
    part = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    part.cells = cells
    return part


async def run_in(manager: ManagerProcess, session: str, notebook: Any, **hooks: Any) -> Any:
    """The notebook as this session leaves it, which goes on."""
    async with ManagerClient(manager.url, token=manager.token) as owner:
        attached = Attached(await owner.connection(session))
    counts: dict[int, int] = {}

    def count(cell_index: int, execute_reply: Any, **_: Any) -> None:
        counts[cell_index] = execute_reply["content"]["execution_count"]

    client = NotebookClient(notebook, km=attached, on_cell_executed=count, **OPTIONS, **hooks)
    await client.async_execute(cleanup_kc=True)
    for index, number in counts.items():
        # nbclient counts for itself, from 1; a cell whose process died has no number
        notebook.cells[index].execution_count = number or None
    return notebook


@contextmanager
def watched_agent(manager: ManagerProcess) -> Iterator[subprocess.Popen[str]]:
    ours = {"WASM_MANAGER_SERVICE_URL": manager.url, "RLM_KERNEL_TOKEN": manager.token}
    with subprocess.Popen(
        [sys.executable, "-u", str(FOLDER / "watched_agent.py")],
        env=os.environ | ours,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(agent: subprocess.Popen[str], wanted: str) -> str:
    """What it says until then."""
    assert agent.stdout is not None
    said = ""
    for line in agent.stdout:
        said += line
        if wanted in line and "print(" not in line:
            return said
    raise AssertionError(f"{wanted!r} never came; there was: {said}")


def write(agent: subprocess.Popen[str], text: str) -> None:
    assert agent.stdin is not None
    agent.stdin.write(text)
    agent.stdin.flush()
