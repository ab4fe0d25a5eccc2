"""Code run as a script: what is printed where, what is asked, and the exit status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rlm_kernel.cli.keyboard import Keyboard
from rlm_kernel.cli.script import run_script
from rlm_kernel.sandbox import Limits, Zygote
from tests.sandbox.sessions import session

Run = Callable[..., int]


@pytest.fixture
def run(runner: asyncio.Runner, zygote: Zygote) -> Run:
    """Runs a script in a session of its own and gives its exit status."""

    async def script(code: str, timeout: float | None, keyboard: Keyboard | None) -> int:
        async with session(zygote, Limits(interrupt_grace=0.3)) as one:
            return await run_script(
                one, code, timeout=timeout, keyboard=keyboard, on_closed_pipe=_no_pipe
            )

    def run(code: str, timeout: float | None = None, keyboard: Keyboard | None = None) -> int:
        return runner.run(script(code, timeout, keyboard))

    return run


def _no_pipe() -> None:
    raise AssertionError("nothing here closes a pipe")


class Typist(Keyboard):
    """Types lines, and notes which of them would not have been echoed."""

    def __init__(self, *lines: str) -> None:
        super().__init__()
        self._lines = list(lines)
        self.hidden: list[str] = []

    async def line(self, *, hidden: bool = False) -> str | None:
        line = self._lines.pop(0) if self._lines else None
        if hidden and line is not None:
            self.hidden.append(line)
        return line


def test_streams_are_kept_apart_and_the_last_value_is_not_shown(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("import sys\nprint('out')\nprint('err', file=sys.stderr)\n'value'") == 0
    assert capfd.readouterr() == ("out\n", "err\n")


def test_what_is_displayed_is_printed_as_text(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    run("from IPython.display import HTML; display(HTML('<b>x</b>')); display(7)")
    assert capfd.readouterr().out == "<IPython.core.display.HTML object>\n7\n"


@pytest.mark.parametrize(
    ("code", "status", "last_word"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(0)", 0, ""),
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit(-1)", 255, ""),
        ("import sys; sys.exit(300)", 44, ""),
        ("exit(4)", 4, ""),
        ("quit()", 0, ""),
        ("raise SystemExit('that was it')", 1, "that was it\n"),
        ("import sys; sys.exit('3')", 1, "3\n"),
        ("import sys; sys.exit('')", 1, "\n"),
        ("import sys; sys.exit('None')", 1, "None\n"),
        ("import sys; sys.exit(True)", 1, ""),
        ("import sys; sys.exit((1, 2))", 1, "(1, 2)\n"),
        ("await __import__('asyncio').sleep(0); raise SystemExit(9)", 9, ""),
    ],
)
def test_the_exit_status_is_the_codes(
    run: Run, capfd: pytest.CaptureFixture[str], code: str, status: int, last_word: str
) -> None:
    assert run(code) == status
    assert capfd.readouterr() == ("", last_word)


def test_an_exception_leaves_a_plain_traceback_and_status_1(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("print('before')\n1 / 0") == 1
    out, err = capfd.readouterr()
    assert out == "before\n"
    assert "ZeroDivisionError: division by zero" in err
    assert "\x1b" not in err


def test_a_keyboard_interrupt_is_status_130(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("raise KeyboardInterrupt") == 130
    assert "KeyboardInterrupt" in capfd.readouterr().err


def test_code_that_is_no_code_is_status_1(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("def (") == 1
    assert "SyntaxError" in capfd.readouterr().err


def test_a_process_that_ends_itself_is_told(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("import os; os._exit(5)") == 1
    assert capfd.readouterr().err.startswith("rlm-kernel: the session's process is gone")


@pytest.mark.parametrize(
    "code",
    ["while True: pass", "while True:\n try:\n  while True: pass\n except BaseException: pass"],
)
def test_a_timeout_is_status_124(run: Run, capfd: pytest.CaptureFixture[str], code: str) -> None:
    assert run(code, timeout=0.3) == 124
    assert capfd.readouterr().err.endswith(
        "rlm-kernel: the code was stopped: it ran longer than 0.3 s\n"
    )


def test_input_reads_lines_to_their_end(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    code = "print(input('name? '), input())\ntry: input()\nexcept EOFError: print('end')"
    assert run(code, keyboard=Typist("Ada", "Löv")) == 0
    assert capfd.readouterr().out == "name? Ada Löv\nend\n"


def test_a_password_is_not_echoed(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    typist = Typist("s3cret", "plain")
    run("import getpass; print(len(getpass.getpass('p: ')), input())", keyboard=typist)
    assert capfd.readouterr().out == "p: 6 plain\n"
    assert typist.hidden == ["s3cret"]


def test_without_a_keyboard_there_is_no_input(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("try: input()\nexcept EOFError: print('end')") == 0
    assert capfd.readouterr().out == "end\n"


def test_a_host_call_that_nobody_answers_is_an_exception(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("from rlm_kernel.guest import host\nhost.call('llm_query', {'prompt': 'x'})") == 1
    assert "nobody here answers llm_query()" in capfd.readouterr().err
