"""Jupyter's own console, made fit for a session that belongs to somebody else.

The stock console cannot interrupt a kernel that it did not start, shuts one down when the code
says `exit`, and shows nothing of what others do.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import deque
from collections.abc import Callable, Iterable
from queue import Empty
from typing import Any

from jupyter_client.consoleapp import JupyterConsoleApp
from jupyter_console.app import ZMQTerminalIPythonApp  # type: ignore[import-untyped]
from jupyter_console.ptshell import (  # type: ignore[import-untyped]
    ZMQTerminalInteractiveShell,
)
from prompt_toolkit.application import run_in_terminal

from rlm_kernel.errors import ManagerUnavailable

Message = dict[str, Any]

_LOOK_SECONDS = 0.1
_GREEN, _RED = "\x1b[32m", "\x1b[31m"


class AttachedConsole(ZMQTerminalIPythonApp):  # type: ignore[misc]
    """`past()` gives the replay of the session; `check()` raises if the session is gone."""

    def __init__(
        self, *, past: Callable[[], dict[str, Any]] | None, check: Callable[[], None]
    ) -> None:
        super().__init__()
        self._past = past
        self._check = check

    def init_shell(self) -> None:
        JupyterConsoleApp.initialize(self)
        signal.signal(signal.SIGINT, self.handle_sigint)
        self.shell = _Shell(
            parent=self,
            manager=None,
            client=self.kernel_client,
            confirm_exit=False,
            include_other_output=True,
        )

    def init_banner(self) -> None:
        super().init_banner()
        # By now the console is subscribed: what it is told twice it shows once.
        if self._past is not None:
            self.shell.show_past(self._past())

    def start(self) -> None:
        """Be a console until its user leaves. Raises what `check` does, if the session ended."""
        super().start()
        if self.shell.ended:
            self._check()

    def handle_sigint(self, *_signal: Any) -> None:
        if not self.shell.executing:
            raise KeyboardInterrupt
        client = self.kernel_client
        client.control_channel.send(client.session.msg("interrupt_request", {}))


class _Shell(ZMQTerminalInteractiveShell):  # type: ignore[misc]
    """`ended` is whether the session said goodbye, or does not answer any more."""

    def __init__(self, **given: Any) -> None:
        self.ended = False
        self._shown: set[str] = set()
        super().__init__(**given)

    @property
    def executing(self) -> bool:
        return bool(self._executing)

    def init_kernel_info(self) -> None:
        """Asks by the control channel, which never waits for the cell that runs."""
        client = self.client
        client.hb_channel.unpause()
        client.control_channel.send(client.session.msg("kernel_info_request", {}))
        try:
            self.kernel_info = client.get_control_msg(timeout=self.kernel_timeout)["content"]
        except Empty as error:
            raise ManagerUnavailable("the session does not answer") from error

    def mainloop(self) -> None:
        """The stock one would shut the kernel down when the code says `exit`."""
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                asyncio.run(self._main_task())
                return

    def show_past(self, replay: dict[str, Any]) -> None:
        """Print what was published before, as what is published now is printed."""
        if replay["dropped"]:
            print(f"\n({replay['dropped']} older messages are gone)")
        messages = [_decoded(message) for message in replay["messages"]]
        live, self.client._iopub_channel = self.client.iopub_channel, _Past(messages)
        try:
            self.handle_iopub()
        finally:
            self.client._iopub_channel = live
        self._shown = {message["header"]["msg_id"] for message in messages}

    async def handle_external_iopub(self, loop: object = None) -> None:
        """Print what others do above the prompt, where the stock one prints over it."""
        while self.keep_running:
            if self.client.iopub_channel.socket.poll(0):
                await run_in_terminal(self.handle_iopub)
            await asyncio.sleep(_LOOK_SECONDS)

    def print_remote_prompt(self, ec: int | None = None) -> None:
        """The stock one also prints, after a result, the prompt of a cell that nobody wrote."""
        if ec is None:
            self.execution_count += 1
        else:
            _print_prompt(f"{self.other_output_prefix}In [{ec}]: ", _GREEN)

    def print_out_prompt(self) -> None:
        _print_prompt(f"Out[{self.execution_count}]: ", _RED)

    def include_output(self, msg: Message) -> bool:
        """Whether to show a message; on the way it looks at who sent it, and at the goodbye."""
        self.other_output_prefix = f"{msg['parent_header'].get('username') or 'someone'} "
        if msg["msg_type"] == "shutdown_reply" and not msg["content"]["restart"]:
            self._leave()
        if msg["header"]["msg_id"] in self._shown:
            return False
        # The end of somebody else's cell is not the end of the one that was typed here.
        wanted = self.from_here if msg["msg_type"] == "status" else super().include_output
        return bool(wanted(msg))

    def run_cell(self, cell: str, store_history: bool = True) -> None:
        super().run_cell(cell, store_history)
        if not self.client.is_alive():
            self._leave()

    def _leave(self) -> None:
        self.ended = True
        self.ask_exit()


class _Past:
    """Messages where the console looks for those of the IOPub channel."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = deque(messages)

    def msg_ready(self) -> bool:
        return bool(self._messages)

    def get_msg(self) -> Message:
        return self._messages.popleft()


def _print_prompt(text: str, colour: str) -> None:
    """To standard output and nowhere else, so that it keeps its place among what is printed."""
    print(f"{colour}{text}\x1b[0m", end="")


def _decoded(message: Message) -> Message:
    return {**message, "msg_type": message["header"]["msg_type"]}
