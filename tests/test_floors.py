"""The house has floors: a module imports from its own floor and from those below, never above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import rlm_kernel

ROOT = Path(rlm_kernel.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# Each package with the packages that it may import from, beside itself and the ground floor.
BELOW = {
    "wasm": set[str](),
    "emscripten": {"wasm"},
    "pyodide": {"emscripten", "wasm"},
    "guest": set[str](),
    "http": set[str](),
    "sandbox": {"guest", "pyodide", "emscripten", "wasm"},
    "kernel": {"sandbox", "guest", "pyodide", "emscripten", "wasm"},
    "manager": {"http", "kernel", "sandbox", "guest", "pyodide", "emscripten", "wasm"},
    "agent": {"http", "guest"},
    "cli": {"agent", "manager", "http", "kernel", "sandbox", "guest", "pyodide"},
}
# The two are separate containers, and this is the wire between them.
AGENT_MAY_ALSO_IMPORT = {"rlm_kernel.manager.client", "rlm_kernel.manager.wire"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


NAMES = {name_of(path) for path in MODULES}


def package_of(module: str) -> str | None:
    """The floor of a module; None is the ground floor."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in BELOW else None


def imports_of(path: Path) -> Iterator[str]:
    """Our own modules that a module imports, wherever in it, under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, path)
            if is_ours(base):
                yield from (member_or_module(base, alias.name) for alias in node.names)


def absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = name_of(path.parent / "__init__.py").split(".")
    parents = package[: len(package) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def is_ours(module: str) -> bool:
    return module.split(".")[0] == "rlm_kernel"


def member_or_module(base: str, name: str) -> str:
    return f"{base}.{name}" if f"{base}.{name}" in NAMES else base


def allowed(importer: str, imported: str) -> bool:
    floor, target = package_of(importer), package_of(imported)
    if floor == "guest":
        # It is copied into the session, where the rest of the package is not.
        return target == "guest"
    if target is None or target == floor:
        return True
    if floor is None:
        return importer == "rlm_kernel.__main__"
    if floor == "agent" and imported in AGENT_MAY_ALSO_IMPORT:
        return True
    return target in BELOW[floor]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_from_its_floor_and_below(path: Path) -> None:
    importer = name_of(path)
    above = [module for module in imports_of(path) if not allowed(importer, module)]
    assert above == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("rlm_kernel.wasm.reader", "rlm_kernel.pyodide"),
        ("rlm_kernel.settings", "rlm_kernel.sandbox"),
        ("rlm_kernel.manager.client", "rlm_kernel.agent"),
        ("rlm_kernel.agent.loop", "rlm_kernel.manager.registry"),
        ("rlm_kernel.agent.loop", "rlm_kernel.manager"),
        ("rlm_kernel.agent.loop", "rlm_kernel.kernel"),
        ("rlm_kernel.guest.rlm", "rlm_kernel.errors"),
    ],
)
def test_the_rule_refuses_what_it_should(importer: str, imported: str) -> None:
    assert not allowed(importer, imported)


def test_imports_are_found_wherever_they_are(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        "import rlm_kernel.errors, os\n"
        "from rlm_kernel import settings\n"
        "from rlm_kernel.manager.wire import Fault\n"
        "def lazy():\n    from rlm_kernel.manager import client\n"
    )
    assert list(imports_of(source)) == [
        "rlm_kernel.errors",
        "rlm_kernel.settings",
        "rlm_kernel.manager.wire",
        "rlm_kernel.manager.client",
    ]


def test_every_package_has_a_floor() -> None:
    packages = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert packages <= set(BELOW)
