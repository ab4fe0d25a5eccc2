"""The program that a kernelspec starts: one session, served on one connection file."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from rlm_kernel.errors import RLMKernelError
from rlm_kernel.kernel.booting import BootingSession
from rlm_kernel.kernel.connection import ConnectionInfo
from rlm_kernel.kernel.kernel import Kernel
from rlm_kernel.kernel.parent import ParentWatch
from rlm_kernel.kernel.zmq_transport import ZMQTransport, shared_context
from rlm_kernel.sandbox import Limits, Zygote
from rlm_kernel.settings import SandboxSettings

log = logging.getLogger(__name__)


class KernelApp:
    """Serves one kernel until a client shuts it down, SIGTERM comes or the parent ends.

    The ports are bound before the guest has booted, so that clients find the kernel alive, and
    requests wait for it. SIGINT interrupts the running cell, as an `interrupt_request` does. A
    connection file that is not there yet is written, and removed at the end.
    """

    def __init__(self, connection_file: Path, settings: SandboxSettings) -> None:
        self._boot = partial(
            Zygote.start,
            Limits.of(settings),
            pyodide_url=settings.pyodide_url,
            require_seal=settings.require_seal,
            preload=settings.preload,
            shared=False,
        )
        self._file = connection_file
        self._owns_file = not connection_file.exists()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        connection = ConnectionInfo() if self._owns_file else ConnectionInfo.read(self._file)
        kernel = Kernel(BootingSession(self._boot))
        kernel.on_shutdown = self._on_shutdown
        transport = ZMQTransport(kernel, connection)
        try:
            bound = ConnectionInfo.model_validate(transport.connection_info())
            if bound != connection:
                bound.write(self._file)
            with self._signals(kernel), self._parent_watch():
                await self._stop.wait()
        finally:
            await kernel.close()
            transport.close()
            shared_context().term()
            if self._owns_file:
                self._file.unlink(missing_ok=True)

    async def _on_shutdown(self, restart: bool) -> None:
        """Ends this process either way: a restart is a new process, started by the client."""
        self._stop.set()

    @contextmanager
    def _signals(self, kernel: Kernel) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGINT: kernel.interrupt,
            signal.SIGTERM: self._stop.set,
            signal.SIGHUP: self._stop.set,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def _parent_watch(self) -> Iterator[None]:
        expected = os.environ.get("JPY_PARENT_PID", "")
        watch = ParentWatch(int(expected), self._stop.set) if expected.isdecimal() else None
        try:
            yield
        finally:
            if watch is not None:
                watch.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:
        log.warning("ignored arguments: %s", " ".join(unknown))
    file = options.connection_file or Path(jupyter_runtime_dir()) / f"kernel-{os.getpid()}.json"
    try:
        settings = SandboxSettings.from_environment(preload=options.preload)
        gc.freeze()  # what was imported stays: to look through it again and again delays replies
        asyncio.run(_serve(file.absolute(), settings))
    except RLMKernelError as error:
        print(f"rlm-kernel: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(file: Path, settings: SandboxSettings) -> None:
    await KernelApp(file, settings).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rlm_kernel.kernel", description="Serve one sandboxed Jupyter kernel."
    )
    parser.add_argument(
        "-f",
        "--connection-file",
        type=Path,
        metavar="FILE",
        help="the connection file to serve; written when it does not exist",
    )
    parser.add_argument(
        "--preload",
        action="append",
        metavar="PACKAGE",
        help="a package that the session starts with: a requirement or a wheel",
    )
    return parser
