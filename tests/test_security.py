"""SECURITY.md says what the code does."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import wasmtime

import rlm_kernel
from rlm_kernel.agent import RunOptions
from rlm_kernel.agent.ledger.budget import Budget
from rlm_kernel.pyodide.release import VERSION
from rlm_kernel.sandbox.seal import _layers
from rlm_kernel.settings import ServiceSettings

ROOT = Path(rlm_kernel.__file__).parents[1]
SECURITY = (ROOT / "SECURITY.md").read_text()
FLOORS = ("emscripten", "pyodide", "sandbox")
"""Where host functions are."""


def section(title: str) -> str:
    _, _, rest = SECURITY.partition(f"## {title}\n")
    return rest.partition("\n## ")[0]


def first_cells(title: str) -> list[str]:
    """The first cell of each row of a section's table, the head left out."""
    rows = [line for line in section(title).splitlines() if line.startswith("|")]
    return [row.split("|")[1].strip() for row in rows[2:]]


def declared_functions() -> Iterator[str]:
    for floor in FLOORS:
        package = importlib.import_module(f"rlm_kernel.{floor}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for group in (each for each in vars(module).values() if isinstance(each, type)):
                for name in dir(group):
                    for declared in getattr(getattr(group, name), "imports", ()):
                        yield declared.name


def test_the_list_of_host_functions_is_that_of_the_code() -> None:
    listed = [
        name for cell in first_cells("Host functions") for name in re.findall("`(.+?)`", cell)
    ]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(declared_functions())


def test_the_layers_of_the_seal_are_those_of_the_code() -> None:
    assert first_cells("Wall two: the process") == list(_layers(set()))


def test_the_settings_that_bound_a_run_exist() -> None:
    known = {str(field.validation_alias) for field in ServiceSettings.model_fields.values()}
    named = set(re.findall(r"RLM_KERNEL_[A-Z_]*[A-Z]", section("The agent")))
    assert {name for name in known if "_BUDGET_" in name} <= named <= known
    assert RunOptions().budget == Budget()
    unbounded = (getattr(Budget(), limit) for limit in ("cost_usd", "tokens", "calls", "seconds"))
    assert set(unbounded) == {None}


def test_the_engine_is_the_one_that_is_written_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [pinned] = [each for each in project["dependencies"] if each.startswith("wasmtime")]
    assert pinned == f"wasmtime=={version('wasmtime')}"
    assert f"wasmtime {version('wasmtime')} (PyPI), which brings engine {engine()}," in SECURITY


def engine() -> str:
    """The engine's number, which it writes into what it compiles."""
    compiled = bytes(wasmtime.Module(wasmtime.Engine(), "(module)").serialize())
    [number] = re.findall(rb"\x02(\d+)\x18x86_64|\x02(\d+)\x19aarch64", compiled)
    return b"".join(number).decode()


def test_the_release_of_pyodide_is_the_one_that_is_written_there() -> None:
    assert f"Pyodide {VERSION}, pinned" in SECURITY
