"""The command line as a whole: help, usage errors, statuses, and that it is quick to say so."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rlm_kernel import __version__
from rlm_kernel.cli import COMMANDS, main
from rlm_kernel.errors import ConfigurationError, FetchError, RLMKernelError


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rlm_kernel", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_lists_every_command_with_a_summary() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name, summary in COMMANDS.items():
        assert name in done.stdout
        assert " ".join(summary.split()[:3]) in " ".join(done.stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: rlm-kernel {command}" in capsys.readouterr().out


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"rlm-kernel {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["serve", "--frobnicate"], ["model"]])
def test_bad_usage_is_one_line_and_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err.startswith("rlm-kernel: error: ")
    assert "--help'" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigurationError("two\nlines"), 2),
        (FetchError("two\nlines"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_of_ours_is_one_line_and_its_status(
    error: BaseException,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from rlm_kernel.cli import fetch

    def fail(_arguments: object) -> int:
        raise error

    monkeypatch.setattr(fetch, "run", fail)
    assert main(["fetch"]) == status
    expected = "rlm-kernel: error: two lines\n" if isinstance(error, RLMKernelError) else ""
    assert capsys.readouterr().err == expected


def test_a_bad_setting_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAX_SESSIONS", "many")
    assert main(["serve"]) == 2
    assert "MAX_SESSIONS: Input should be a valid integer" in capsys.readouterr().err


def test_a_bad_option_is_told_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "99999"]) == 2
    assert capsys.readouterr().err.startswith("rlm-kernel: error: port: ")
