"""The public names: listed, sorted, there; and what importing a package may not cost."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import rlm_kernel

ROOT = Path(rlm_kernel.__file__).parent
# What lives in the session imports the session's own libraries.
PACKAGES = sorted(
    ".".join(path.parent.relative_to(ROOT.parent).parts)
    for path in ROOT.rglob("__init__.py")
    if "guest" not in path.parts
)
HEAVY = ("litellm", "tornado", "wasmtime", "zmq", "httpx", "pydantic")


def isort_style(name: str) -> tuple[bool, bool, str]:
    """CONSTANTS, then Classes, then functions, which is also the linter's order."""
    return (not name.isupper(), not name[0].isupper(), name)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_names_are_sorted_and_there(package: str) -> None:
    module = import_module(package)
    assert list(module.__all__) == sorted(module.__all__, key=isort_style)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize(
    ("module", "light"),
    [
        ("rlm_kernel.cli", HEAVY),
        ("rlm_kernel.errors", HEAVY),
        ("rlm_kernel.manager", HEAVY),
        ("rlm_kernel.manager.client", ("litellm", "tornado", "wasmtime", "zmq")),
        ("rlm_kernel.agent", ("litellm", "tornado", "wasmtime")),
        ("rlm_kernel.kernel.app", ("jupyter_client", "litellm", "structlog", "tornado", "httpx")),
        ("rlm_kernel.sandbox", ("litellm", "tornado", "httpx", "zmq")),
    ],
)
def test_importing_a_module_does_not_import_what_it_does_not_need(
    module: str, light: tuple[str, ...]
) -> None:
    script = f"import sys, {module}; print(*(name for name in {light!r} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        import_module("rlm_kernel.manager").Nothing  # noqa: B018
