"""What a sandbox cannot do is said in one line, and costs nothing else."""

from __future__ import annotations

import pytest

from tests.kernel.peer import Peer

COMMANDS = "UsageError: there are no subprocesses in this sandbox, so no commands can be run\n"
PACKAGES = "--preload"


@pytest.mark.parametrize("code", ["%%bash\nls", "%%script perl\n1", "x = !ls", "%sx ls", "%man ls"])
def test_a_command_fails_its_cell_with_one_line(peer: Peer, code: str) -> None:
    ran = peer.execute(code)
    assert ran.content["status"] == "error"
    assert ran.text("stderr") == COMMANDS
    assert ran.contents("error") == []


def test_a_shell_line_says_so_and_goes_on_as_where_the_command_is_missing(peer: Peer) -> None:
    ran = peer.execute("!ls\n_exit_code", user_expressions={"status": "_exit_code"})
    assert ran.text("stderr") == COMMANDS.removeprefix("UsageError: ")
    assert ran.content["user_expressions"]["status"]["data"]["text/plain"] == "127"


@pytest.mark.parametrize(
    "code", ["%pip install six", "!pip install six", "!python3 -m pip install six", "%conda list"]
)
def test_an_installation_is_told_how_packages_come_in(peer: Peer, code: str) -> None:
    said = peer.execute(code).text("stderr")
    assert PACKAGES in said
    assert said.count("\n") == 1


def test_the_key_of_the_connection_is_not_in_the_session(peer: Peer) -> None:
    assert "kept from the sandbox" in peer.execute("%connect_info").text("stderr")


def test_there_is_no_event_loop_of_a_window_but_inline_figures_need_none(peer: Peer) -> None:
    assert "no screen" in peer.execute("%gui qt").text("stderr")
    shell = "get_ipython().enable_gui"
    assert peer.execute(f"{shell}(None); {shell}('inline')").content["status"] == "ok"
