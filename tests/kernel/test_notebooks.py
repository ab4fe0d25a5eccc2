"""nbclient's own test notebooks: with our kernel they come out as they did with ipykernel.

`docs/suites.md` lists those that do not, each with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import nbformat
import pytest
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from rlm_kernel.sandbox import Limits, Zygote
from rlm_kernel.sandbox.loop_thread import LoopThread
from tests.kernel.conftest import Served
from tests.kernel.packages import WIDGETS
from tests.kernel.peer import Peer
from tests.kernel.suites import NBCLIENT, listed, unpacked

NOTEBOOKS: dict[str, dict[str, Any]] = {
    "Check History in Memory": {},
    "Clear Output": {},
    "Empty Cell": {},
    "Error": {"allow_errors": True},
    "Factorials": {},
    "HelloWorld": {},
    "Inline Image": {},
    "Interrupt": {"timeout": 3, "interrupt_on_timeout": True, "allow_errors": True},
    "JupyterWidgets": {},
    "Other Comms": {},
    "SVG": {},
    "Skip Exceptions": {"allow_errors": True},
    "Skip Exceptions with Cell Tags": {},
    "Skip Execution with Cell Tag": {},
    "Unicode": {},
    "UnicodePy3": {},
    "update-display-id": {},
}
"""Each with the options that nbclient's suite runs it with."""

ALIKE = {"Disable Stdin", "Sleep1s"}
"""Those that have a test of their own, since what they came out as is not in their files."""

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


@pytest.fixture(scope="module")
def zygote(loop: LoopThread) -> Iterator[Zygote]:
    """One with what some of the notebooks import."""
    zygote = loop.run(Zygote.start(Limits(standby=False), preload=[WIDGETS]))
    yield zygote
    loop.run(zygote.close())


@pytest.fixture(scope="module")
def folder() -> Path:
    """Where the notebooks are."""
    return unpacked(*NBCLIENT) / "tests" / "files"


class Attached(AsyncKernelManager):
    """Stands for the manager of a kernel that is there already."""

    def __init__(self, served: Served) -> None:
        super().__init__(owns_kernel=False)
        self._served = served
        self.load_connection_info(cast(KernelConnectionInfo, served.connection))

    @property
    def has_kernel(self) -> bool:
        return True

    async def interrupt_kernel(self) -> None:  # type: ignore[override]
        self._served.loop.call_soon(self._served.kernel.interrupt)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_comes_out_as_with_ipykernel(name: str, folder: Path, served: Served) -> None:
    served.loop.run(served.session.put_file("python.png", (folder / "python.png").read_bytes()))
    done = run(folder / f"{name}.ipynb", Attached(served), **NOTEBOOKS[name])
    assert list(comparable(done)) == list(comparable(_read(folder / f"{name}.ipynb")))


def test_the_state_of_widgets_is_saved_with_the_notebook(folder: Path, served: Served) -> None:
    done = run(folder / "JupyterWidgets.ipynb", Attached(served))
    shown = done.cells[0].outputs[0].data[VIEW].model_id
    saved = done.metadata.widgets[STATE].state[shown]
    assert (saved.model_name, saved.state["value"]) == ("LabelModel", "Hello World")


def test_a_notebook_that_asks_is_told_that_nobody_answers(folder: Path, served: Served) -> None:
    done = run(folder / "Disable Stdin.ipynb", Attached(served), allow_errors=True)
    [output] = done.cells[0].outputs
    assert (output.ename, output.evalue) == (
        "StdinNotImplementedError",
        "raw_input was called, but this frontend does not support input requests.",
    )


def test_a_notebook_that_sleeps_sees_the_time_pass(folder: Path, served: Served) -> None:
    done = run(folder / "Sleep1s.ipynb", Attached(served))
    began, ended = (datetime.fromisoformat(texts(cell.outputs)[0]) for cell in done.cells[2:])
    assert ended - began >= timedelta(seconds=1)


def test_a_notebook_that_kills_its_process_is_told_so_and_the_kernel_goes_on(
    folder: Path, served: Served
) -> None:
    with pytest.raises(CellExecutionError, match="SessionDied"):
        run(folder / "Autokill.ipynb", Attached(served))
    with Peer(served.connection) as peer:
        assert peer.execute("6 * 7").contents("execute_result")[0]["data"] == {"text/plain": "42"}


def test_the_notebooks_that_come_out_otherwise_are_listed(folder: Path) -> None:
    notebooks = {file.stem for file in folder.glob("*.ipynb")}
    assert notebooks - NOTEBOOKS.keys() - ALIKE == listed("nbclient")


def run(file: Path, manager: AsyncKernelManager, **options: Any) -> NotebookNode:
    """The notebook as a kernel leaves it, run from the start."""
    notebook = _read(file)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    done: NotebookNode = NotebookClient(notebook, km=manager, **options).execute(cleanup_kc=True)
    return done


def _read(file: Path) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(file, 4)  # type: ignore[no-untyped-call]
    return notebook


def texts(outputs: Iterable[NotebookNode]) -> list[str]:
    return [output.text for output in outputs if output.output_type == "stream"]


def comparable(notebook: NotebookNode) -> Iterable[Any]:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield cell.source, cell.execution_count, [output_of(o) for o in cell.outputs]


def output_of(output: NotebookNode) -> dict[str, Any]:
    """An output without what is another one in each run, or with each version of IPython."""
    fields = {key: value for key, value in output.items() if key not in ("metadata", "traceback")}
    if "text" in fields:
        fields["text"] = _without_addresses(fields["text"])
    if "data" in fields:
        fields["data"] = {kind: _data(kind, value) for kind, value in fields["data"].items()}
    return fields


def _data(kind: str, value: Any) -> Any:
    if kind == "image/svg+xml":
        return ElementTree.canonicalize(value)
    if kind == "image/png":
        return value.replace("\n", "")
    if kind == VIEW:
        return {**value, "model_id": "<MODEL>"}
    return _without_addresses(value) if isinstance(value, str) else value


def _without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]{5,16}", "<ADDRESS>", text)
