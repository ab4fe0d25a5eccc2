"""nbclient's own test notebooks: with our kernel they come out as they did with ipykernel.

Left out are those that need ipywidgets in the guest, or a folder that two kernels share.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import nbformat
import pytest
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.kernel.conftest import Served
from tests.kernel.suites import NBCLIENT, unpacked

NOTEBOOKS: dict[str, dict[str, Any]] = {
    "Check History in Memory": {},
    "Clear Output": {},
    "Empty Cell": {},
    "Error": {"allow_errors": True},
    "Factorials": {},
    "HelloWorld": {},
    "Inline Image": {},
    "Interrupt": {"timeout": 3, "interrupt_on_timeout": True, "allow_errors": True},
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
def test_a_notebook_comes_out_as_with_ipykernel(name: str, served: Served) -> None:
    folder = unpacked(*NBCLIENT) / "tests" / "files"
    served.loop.run(served.session.put_file("python.png", (folder / "python.png").read_bytes()))
    expected, notebook = (_read(folder / f"{name}.ipynb") for _ in range(2))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(notebook, km=Attached(served), **NOTEBOOKS[name]).execute(cleanup_kc=True)
    assert list(comparable(notebook.cells)) == list(comparable(expected.cells))


def _read(file: Path) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(file, 4)  # type: ignore[no-untyped-call]
    return notebook


def comparable(cells: Iterable[NotebookNode]) -> Iterable[Any]:
    for cell in cells:
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
    return _without_addresses(value) if isinstance(value, str) else value


def _without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]{5,16}", "<ADDRESS>", text)
