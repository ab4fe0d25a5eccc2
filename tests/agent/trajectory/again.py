"""Notebooks that run again, each in a new session of the tests' manager."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
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


def outputs_of(made: Any) -> list[list[dict[str, Any]]]:
    """What all cells show, without what no second run can have: numbers and tracebacks."""
    kept = {"output_type", "name", "text", "data", "ename", "evalue"}
    return [
        [{key: value for key, value in output.items() if key in kept} for output in cell["outputs"]]
        for cell in made["cells"]
        if cell["cell_type"] == "code"
    ]


def assert_same_again(factory: SidecarREPLFactory, trajectory: Trajectory) -> dict[str, Any]:
    """The trajectory's notebook, which comes out as it is recorded."""
    made = notebook(trajectory)
    assert outputs_of(run_again(factory, made)) == outputs_of(made)
    return made
