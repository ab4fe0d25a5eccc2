"""Notebooks that run again, each in a new session of the tests' manager."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

import nbformat
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from rlm_kernel.agent import SidecarREPLFactory
from rlm_kernel.agent.trajectory import Trajectory, notebook
from rlm_kernel.manager.client import ManagerClient


class Attached(AsyncKernelManager):
    """Stands for the manager of a kernel that is there already, and stays."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        super().__init__(owns_kernel=False)
        self.load_connection_info(cast(KernelConnectionInfo, dict(connection)))

    @property
    def has_kernel(self) -> bool:
        return True

    async def is_alive(self) -> bool:  # type: ignore[override]
        return True


def as_nbformat(made: Mapping[str, Any]) -> Any:
    """The notebook as nbformat reads it, which says so where it is not valid."""
    read: Any = nbformat.reads(json.dumps(made), as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(read)
    return read


def without_outputs(made: Mapping[str, Any]) -> Any:
    """As when a person clears it, and leaves those that are not to be run."""
    fresh = as_nbformat(made)
    for cell in fresh.cells:
        if cell.cell_type == "code" and "skip-execution" not in cell.metadata.get("tags", []):
            cell.outputs, cell.execution_count = [], None
    return fresh


def run_again(
    factory: SidecarREPLFactory, made: Mapping[str, Any], files: Mapping[str, bytes] | None = None
) -> Any:
    """The notebook as a new session, with these files, leaves it."""
    return asyncio.run(_run_again(factory, without_outputs(made), files or {}))


async def _run_again(factory: SidecarREPLFactory, fresh: Any, files: Mapping[str, bytes]) -> Any:
    async with ManagerClient(factory.url, token=factory.token) as manager:
        session = (await manager.create_session()).session_id
        try:
            for name, data in files.items():
                await manager.put_file(session, name, data)
            attached = Attached(await manager.connection(session))
            client = NotebookClient(fresh, km=attached, timeout=60)
            return await client.async_execute(cleanup_kc=True)
        finally:
            await manager.delete_session(session)


def joined(outputs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Outputs in which what follows on the same stream is one: how it is parted is chance."""
    whole: list[dict[str, Any]] = []
    for output in outputs:
        before = whole[-1] if whole else {}
        is_stream = output["output_type"] == before.get("output_type") == "stream"
        if is_stream and output["name"] == before["name"]:
            before["text"] += output["text"]
        else:
            whole.append(dict(output))
    return whole


def outputs_of(made: Any) -> list[list[dict[str, Any]]]:
    """What all cells show, without what no second run can have: numbers and tracebacks."""
    cells = (cell for cell in made["cells"] if cell["cell_type"] == "code")
    return [[shown(output) for output in joined(cell["outputs"])] for cell in cells]


def shown(output: Mapping[str, Any]) -> dict[str, Any]:
    """An output without its number and, of an error, without the lines of the traceback."""
    kept = ("output_type", "name", "text", "data", "ename", "evalue")
    return {key: output[key] for key in kept if key in output}


def assert_same_again(factory: SidecarREPLFactory, trajectory: Trajectory) -> dict[str, Any]:
    """The trajectory's notebook, which comes out as it is recorded."""
    made = notebook(trajectory)
    assert outputs_of(run_again(factory, made)) == outputs_of(made)
    return made
