"""`rlm-kernel kernelspec`: into an environment and out of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlm_kernel.cli import main

WHERE = Path("share/jupyter/kernels/rlm-kernel")


def test_it_is_installed_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernelspec", "install", "--prefix", str(tmp_path)]) == 0
    spec = json.loads((tmp_path / WHERE / "kernel.json").read_text())
    assert spec["interrupt_mode"] == "message"
    assert main(["kernelspec", "remove", "--prefix", str(tmp_path)]) == 0
    assert not (tmp_path / WHERE).exists()
    folder = tmp_path / WHERE
    assert capsys.readouterr().out == f"installed {folder}\nremoved {folder}\n"


def test_the_packages_to_preload_go_into_the_command_of_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--preload", "pydantic==2.*", "--preload", "./thing-1.0-py3-none-any.whl"]
    assert main(["kernelspec", "install", "--prefix", str(tmp_path), *words]) == 0
    spec = json.loads((tmp_path / WHERE / "kernel.json").read_text())
    wheel = str(tmp_path / "thing-1.0-py3-none-any.whl")
    assert spec["argv"][-4:] == ["--preload", "pydantic==2.*", "--preload", wheel]


def test_the_kernel_of_a_manager_has_its_packages_from_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--prefix", str(tmp_path)]
    assert main(["kernelspec", "install", "--manager", "--preload", "pydantic", *place]) == 2
    assert "--preload is not for the manager's kernel" in capsys.readouterr().err


def test_without_a_place_it_is_for_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    assert main(["kernelspec", "install"]) == 0
    assert (tmp_path / "kernels/rlm-kernel/kernel.json").exists()


def test_removing_what_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kernelspec", "remove", "--prefix", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("rlm-kernel: error: ")


def test_two_places_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["kernelspec", "install", "--user", "--sys-prefix"])
    assert ended.value.code == 2
    assert "not allowed with argument --user" in capsys.readouterr().err


def test_the_managers_kernel_is_a_second_one_which_may_outlive_a_shutdown(tmp_path: Path) -> None:
    at = ["--manager", "--prefix", str(tmp_path)]
    folder = tmp_path / "share/jupyter/kernels/rlm-manager"
    assert main(["kernelspec", "install", "--detach", *at]) == 0
    spec = json.loads((folder / "kernel.json").read_text())
    assert spec["metadata"]["kernel_provisioner"] == {
        "provisioner_name": "rlm-manager",
        "config": {"detach": True},
    }
    assert main(["kernelspec", "remove", *at]) == 0
    assert not folder.exists()


def test_only_the_managers_kernel_can_be_detached_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernelspec", "install", "--detach"]) == 2
    assert "--manager" in capsys.readouterr().err
