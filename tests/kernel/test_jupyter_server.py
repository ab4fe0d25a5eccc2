"""The installed kernel under Jupyter's own server, which is what JupyterLab talks to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from rlm_kernel.kernel import kernelspec
from tests.kernel.processes import descendants, wait_until_gone
from tests.manager.jupyter.socket_client import SocketClient, kind_of, text_of

TOKEN = "for-the-test"
HEADERS = {"Authorization": f"token {TOKEN}"}

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Server:
    process: subprocess.Popen[bytes]
    url: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server that knows the kernel."""
    tmp_path = tmp_path_factory.mktemp("server")
    kernelspec.install(prefix=tmp_path)
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
    options = ["--port=0", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}"]
    folders = {"PATH": tmp_path / "share" / "jupyter", "RUNTIME_DIR": tmp_path / "runtime"}
    folders |= {"CONFIG_DIR": tmp_path / "config", "DATA_DIR": tmp_path / "data"}
    environment = {f"JUPYTER_{name}": str(folder) for name, folder in folders.items()}
    process = subprocess.Popen([*command, *options], env={**os.environ, **environment})
    try:
        file = folders["RUNTIME_DIR"] / f"jpserver-{process.pid}.json"
        yield Server(process, url_in(file, process))
    finally:
        process.terminate()
        process.wait()


def url_in(file: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the server listens, once it has said so."""
    while process.poll() is None:
        try:
            return str(json.loads(file.read_text())["url"])
        except (OSError, ValueError):  # it is not there, or being written
            time.sleep(0.05)
    raise AssertionError("the server ended")


def ask(url: str, method: str, path: str, body: Wire | None = None) -> Any:
    """The server's answer; an error where it refuses."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{url}api/{path}", data, HEADERS, method=method)
    with urlopen(request) as response:
        answer = response.read()
    return json.loads(answer) if answer else None


def start(url: str) -> str:
    """The id of a new kernel."""
    return str(ask(url, "POST", "kernels", {"name": kernelspec.NAME})["id"])


def attach(url: str, kernel: str) -> SocketClient:
    return SocketClient(url.removesuffix("/"), kernel, header=HEADERS)


def results(messages: list[Wire]) -> list[Wire]:
    return [m["content"]["data"] for m in messages if kind_of(m) == "execute_result"]


def error_of(messages: list[Wire]) -> str:
    """The error that a cell ended with."""
    [error] = [m["content"]["ename"] for m in messages if kind_of(m) == "error"]
    return str(error)


def test_it_is_listed_runs_cells_is_restarted_interrupted_and_stopped(server: Server) -> None:
    specs = ask(server.url, "GET", "kernelspecs")["kernelspecs"]
    assert "logo-svg" in specs[kernelspec.NAME]["resources"]
    kernel = start(server.url)
    with attach(server.url, kernel) as socket:
        ran = socket.execute("x = 6\nprint('six')\nx * 7")
        assert (text_of(ran), results(ran)) == ("six\n", [{"text/plain": "42"}])

        ask(server.url, "POST", f"kernels/{kernel}/restart")
        assert error_of(socket.execute("x")) == "NameError"

        running = socket.send("execute_request", {"code": "print('on')\nwhile True: pass"})
        socket.until(lambda m: kind_of(m) == "stream")
        ask(server.url, "POST", f"kernels/{kernel}/interrupt")
        ended = socket.until(lambda m: kind_of(m) == "execute_reply")
        assert ended[-1]["parent_header"]["msg_id"] == running
        assert ended[-1]["content"]["ename"] == "KeyboardInterrupt"

    processes = descendants(server.process.pid)
    assert processes
    ask(server.url, "DELETE", f"kernels/{kernel}")
    wait_until_gone(processes)
    assert ask(server.url, "GET", "kernels") == []


def test_a_notebooks_session_has_its_kernel_where_the_tab_is_opened_again(server: Server) -> None:
    wanted = {"path": "a.ipynb", "type": "notebook", "name": "a.ipynb"}
    notebook = {**wanted, "kernel": {"name": kernelspec.NAME}}
    kernel = ask(server.url, "POST", "sessions", notebook)["kernel"]["id"]
    with attach(server.url, kernel) as tab:
        tab.execute("x = 42")
    assert ask(server.url, "POST", "sessions", notebook)["kernel"]["id"] == kernel
    with attach(server.url, kernel) as tab:
        assert results(tab.execute("x")) == [{"text/plain": "42"}]
    ask(server.url, "DELETE", f"kernels/{kernel}")
