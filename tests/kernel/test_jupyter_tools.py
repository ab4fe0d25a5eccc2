"""Jupyter's own tools on the installed kernel, with no server of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from rlm_kernel.kernel import kernelspec
from tests.notebooks import new_notebook


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernelspec where Jupyter looks, and a notebook to run in the working directory."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    kernelspec.install(prefix=tmp_path)
    notebook = new_notebook("n = 6", "print('n is', n)\nn * 7")
    notebook.cells[0].metadata.tags = ["parameters"]
    nbformat.write(notebook, "given.ipynb")  # type: ignore[no-untyped-call]


def jupyter(*command: str, typed: str = "") -> str:
    """What a tool says; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def outputs(notebook: str) -> list[Any]:
    """The outputs of the notebook's last cell."""
    read: Any = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    return list(read.cells[-1].outputs)


def test_papermill_runs_a_notebook_with_its_parameters() -> None:
    jupyter("papermill", "given.ipynb", "done.ipynb", "-k", kernelspec.NAME, "-p", "n", "5")
    printed, result = outputs("done.ipynb")
    assert printed.text == "n is 5\n"
    assert result.data["text/plain"] == "35"


def test_nbconvert_executes_a_notebook() -> None:
    kernel = f"--ExecutePreprocessor.kernel_name={kernelspec.NAME}"
    done = ("--to", "notebook", "--execute", kernel, "--output", "done.ipynb")
    jupyter("nbconvert", *done, "given.ipynb")
    printed, result = outputs("done.ipynb")
    assert printed.text == "n is 6\n"
    assert result.data["text/plain"] == "42"


def test_a_console_runs_cells_answers_questions_and_leaves() -> None:
    typed = "6 * 7\ninput('name? ')\nAda\nprint?\n1 / 0\nexit\n"
    said = jupyter("jupyter_console", "--simple-prompt", "--kernel", kernelspec.NAME, typed=typed)
    for wanted in ("Out[1]: 42", "Out[2]: 'Ada'", "Prints the values", "division by zero"):
        assert wanted in said
