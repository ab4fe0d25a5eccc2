"""The installed kernelspec, as Jupyter's own tools use it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from rlm_kernel.errors import ConfigurationError
from rlm_kernel.kernel import kernelspec
from tests.notebooks import new_notebook

BOOT_SECONDS = 100
STREAMS = ("stdout", "stderr")


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prefix that Jupyter looks into, and a user's folder that is not the real one."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    return tmp_path


def test_an_installed_kernelspec_is_found_and_complete(prefix: Path) -> None:
    folder = kernelspec.install(prefix=prefix)
    spec = KernelSpecManager().get_kernel_spec(kernelspec.NAME)
    assert folder == prefix / "share" / "jupyter" / "kernels" / kernelspec.NAME
    assert spec.argv[0] == sys.executable
    assert spec.argv[-1] == "{connection_file}"
    assert (spec.language, spec.interrupt_mode) == ("python", "message")
    assert {file.name for file in folder.iterdir()} == {
        "kernel.json",
        "logo-32x32.png",
        "logo-64x64.png",
        "logo-svg.svg",
    }


def test_the_kernel_does_not_import_from_the_folder_of_the_notebook(prefix: Path) -> None:
    spec = json.loads((kernelspec.install(prefix=prefix) / "kernel.json").read_text())
    assert "-P" in spec["argv"]


def test_installing_again_replaces_what_is_there(prefix: Path) -> None:
    folder = kernelspec.install(prefix=prefix)
    (folder / "old").touch()
    assert kernelspec.install(prefix=prefix) == folder
    assert not (folder / "old").exists()


def test_a_users_kernelspec_goes_to_the_users_folder(prefix: Path) -> None:
    assert kernelspec.install(user=True) == prefix / "user" / "kernels" / kernelspec.NAME
    assert kernelspec.remove(user=True) == prefix / "user" / "kernels" / kernelspec.NAME


def test_removing_leaves_nothing_and_says_when_there_is_nothing(prefix: Path) -> None:
    folder = kernelspec.install(prefix=prefix)
    assert kernelspec.remove(prefix=prefix) == folder
    assert not folder.exists()
    with pytest.raises(ConfigurationError, match="no kernelspec is installed"):
        kernelspec.remove(prefix=prefix)


def test_only_one_place_can_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="choose one"):
        kernelspec.install(user=True, prefix=tmp_path)


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigurationError, match="cannot install the kernelspec"):
        kernelspec.install(prefix=file)


def test_the_template_is_found_inside_of_a_wheel_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "rlm_kernel" / "kernel"
    shutil.copytree(kernelspec.template_directory(), wheel / "kernelspec")
    monkeypatch.setattr(kernelspec, "__file__", str(wheel / "kernelspec.py"))
    assert kernelspec.template_directory() == wheel / "kernelspec"
    shutil.rmtree(wheel / "kernelspec")
    with pytest.raises(ConfigurationError, match="missing"):
        kernelspec.template_directory()


def test_nbclient_runs_a_notebook(prefix: Path) -> None:
    kernelspec.install(prefix=prefix)
    notebook = new_notebook(
        "import sys\nprint('out'); print('err', file=sys.stderr)",
        "from IPython.display import HTML, display\n"
        "handle = display(HTML('<b>1</b>'), display_id='shown')\nnumbers = [1, 2, 3]",
        "handle.update(HTML('<b>2</b>'))\nsum(numbers)",
        "import asyncio\nawait asyncio.sleep(0)\n{'awaited': True}",
        "import sqlite3, decimal\ndecimal.Decimal('0.1') + decimal.Decimal('0.2')",
        "1 / 0",
        failing=5,
    )
    client = NotebookClient(
        notebook, kernel_name=kernelspec.NAME, startup_timeout=BOOT_SECONDS, timeout=BOOT_SECONDS
    )
    client.execute(cwd=str(prefix))
    streams, shown, total, awaited, exact, failed = (cell.outputs for cell in notebook.cells)
    texts = {name: "".join(o.text for o in streams if o.name == name) for name in STREAMS}
    assert texts == {"stdout": "out\n", "stderr": "err\n"}
    assert shown[0].data["text/html"] == "<b>2</b>"
    assert total[0].data["text/plain"] == "6"
    assert awaited[0].data["text/plain"] == "{'awaited': True}"
    assert exact[0].data["text/plain"] == "Decimal('0.3')"
    assert (failed[0].output_type, failed[0].ename) == ("error", "ZeroDivisionError")
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3, 4, 5, 6]


def test_nbclient_stops_at_an_error_and_interrupts_what_takes_too_long(prefix: Path) -> None:
    kernelspec.install(prefix=prefix)
    notebook = new_notebook("x = 1", "while True: pass", "x + 1", "undefined", "never", failing=1)
    client = NotebookClient(
        notebook,
        kernel_name=kernelspec.NAME,
        startup_timeout=BOOT_SECONDS,
        timeout_func=lambda cell: 1 if "while" in cell.source else BOOT_SECONDS,
        interrupt_on_timeout=True,
    )
    with pytest.raises(CellExecutionError, match="NameError"):
        client.execute(cwd=str(prefix))
    assert notebook.cells[1].outputs[0].ename == "KeyboardInterrupt"
    assert notebook.cells[2].outputs[0].data["text/plain"] == "2"
    assert notebook.cells[4].outputs == []
