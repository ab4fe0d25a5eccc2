"""A kernel under comparison, started and spoken to through jupyter-client."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from rlm_kernel.kernel import kernelspec

OURS, REFERENCE = kernelspec.NAME, "reference"
PATIENCE = 20.0

Wire = dict[str, Any]
Channel = Literal["shell", "control"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request's reply, and what was published for it between busy and idle."""

    reply: Wire
    published: list[Wire] = field(default_factory=list)

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = self.reply["content"]
        return content

    def contents(self, kind: str) -> list[dict[str, Any]]:
        return [m["content"] for m in self.published if m["msg_type"] == kind]

    def text(self, stream: str = "stdout") -> str:
        return "".join(c["text"] for c in self.contents("stream") if c["name"] == stream)


class Contender:
    """One running kernel and one client of it."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager = manager
        self.client: BlockingKernelClient = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def send(
        self,
        kind: str,
        content: Mapping[str, Any] | None = None,
        channel: Channel = "shell",
        buffers: Sequence[bytes] = (),
    ) -> str:
        """Sends a request and gives its id."""
        message = self.client.session.msg(kind, dict(content or {}))
        socket = getattr(self.client, f"{channel}_channel").socket
        self.client.session.send(socket, message, buffers=list(buffers))
        return str(message["header"]["msg_id"])

    def reply(self, message_id: str, channel: Channel = "shell", seconds: float = PATIENCE) -> Wire:
        """The reply to a request; replies to others are passed over."""
        receive = getattr(self.client, f"get_{channel}_msg")
        while True:
            message: Wire = receive(timeout=seconds)
            if message["parent_header"].get("msg_id") == message_id:
                return message

    def published(self, message_id: str) -> list[Wire]:
        """What is published for a request until it is over, the statuses included."""
        messages: list[Wire] = []
        while not messages or messages[-1]["content"].get("execution_state") != "idle":
            message = self.next_published()
            if message["parent_header"].get("msg_id") == message_id:
                messages.append(message)
        return messages

    def next_published(self, seconds: float = PATIENCE) -> Wire:
        message: Wire = self.client.get_iopub_msg(timeout=seconds)
        return message

    def until(self, wanted: Callable[[Wire], bool]) -> Wire:
        """The next published message that is wanted."""
        while not wanted(message := self.next_published()):
            continue
        return message

    def ask(
        self, kind: str, content: Mapping[str, Any] | None = None, channel: Channel = "shell"
    ) -> Exchange:
        message_id = self.send(kind, content, channel)
        return Exchange(self.reply(message_id, channel), self.published(message_id))

    def start(self, code: str, **content: Any) -> str:
        """Sends a cell and gives the request's id."""
        defaults = {"silent": False, "store_history": True, "user_expressions": {}}
        return self.send(
            "execute_request",
            {"code": code, **defaults, "allow_stdin": False, "stop_on_error": True, **content},
        )

    def cell(self, code: str, **content: Any) -> Exchange:
        message_id = self.start(code, **content)
        return Exchange(self.reply(message_id), self.published(message_id))

    def answering(self, code: str, *answers: str) -> tuple[Exchange, list[dict[str, Any]]]:
        """Runs a cell that asks; gives also the contents of what it asked.

        What it asks beyond the answers is answered with the last one.
        """
        message_id = self.start(code, allow_stdin=True)
        asked: list[dict[str, Any]] = []
        while not self.client.shell_channel.msg_ready():
            if self.client.stdin_channel.msg_ready():
                asked.append(self.client.get_stdin_msg(timeout=PATIENCE)["content"])
                self.client.input(answers[min(len(asked), len(answers)) - 1])
            time.sleep(0.005)
        return Exchange(self.reply(message_id), self.published(message_id)), asked

    def bring(self, package: str) -> None:
        """Makes a pure package of this Python importable, also in a kernel that has none of it."""
        data = base64.b64encode(_zipped(package)).decode()
        self.cell(
            f"import base64, pathlib, sys\npathlib.Path('{package}.zip').write_bytes("
            f"base64.b64decode('{data}'))\nsys.path.append('{package}.zip')"
        )

    @contextmanager
    def other_client(self) -> Iterator[BlockingKernelClient]:
        """One more client, with a session of its own: a manager's clients share one."""
        client = BlockingKernelClient()
        client.load_connection_info(self.manager.get_connection_info(session=False))
        client.start_channels(hb=False)
        try:
            yield client
        finally:
            client.stop_channels()

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def _zipped(package: str) -> bytes:
    """A zip archive of a package's modules."""
    found = find_spec(package)
    assert found is not None, f"{package} is not installed"
    assert found.origin is not None
    folder, archive = Path(found.origin).parent, io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for module in sorted(folder.rglob("*.py")):
            file.write(module, module.relative_to(folder.parent).as_posix())
    return archive.getvalue()


@contextmanager
def kernelspecs() -> Iterator[KernelSpecManager]:
    """Both kernels' specs in a folder of their own, which nothing outlives."""
    with tempfile.TemporaryDirectory() as folder:
        kernelspec.install(prefix=folder)
        kernels = Path(folder) / "share" / "jupyter" / "kernels"
        reference = kernels / REFERENCE
        reference.mkdir()
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": REFERENCE, "language": "python"}
        (reference / "kernel.json").write_text(json.dumps(spec))
        yield KernelSpecManager(kernel_dirs=[str(kernels)])


@contextmanager
def started(specs: KernelSpecManager, name: str) -> Iterator[Contender]:
    """A running kernel, in a folder and with settings of its own."""
    with tempfile.TemporaryDirectory() as folder:
        manager = KernelManager(kernel_name=name, kernel_spec_manager=specs)
        environment = {**os.environ, "IPYTHONDIR": str(Path(folder) / ".ipython")}
        manager.start_kernel(cwd=folder, env=environment)
        contender = Contender(manager)
        try:
            yield contender
        finally:
            contender.close()


def start_to_result(specs: KernelSpecManager, name: str) -> float:
    """Seconds from nothing to the result of a first cell."""
    began = time.perf_counter()
    with started(specs, name) as contender:
        contender.cell("6 * 7")
        return time.perf_counter() - began
