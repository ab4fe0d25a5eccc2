"""Kernels on real sessions, served on an event loop in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from rlm_kernel.kernel import Kernel, ZMQTransport
from rlm_kernel.sandbox import Limits, Session, Zygote
from rlm_kernel.sandbox.loop_thread import LoopThread
from tests.kernel.peer import Peer


class Served:
    """A kernel with its session and its ports. Its methods may be called from any thread."""

    def __init__(self, loop: LoopThread, session: Session) -> None:
        self.loop = loop
        self.session = session
        self.kernel, self.transport, self.connection = loop.run(self._serve())

    async def _serve(self) -> tuple[Kernel, ZMQTransport, dict[str, Any]]:
        kernel = Kernel(self.session)
        transport = ZMQTransport(kernel)
        return kernel, transport, transport.connection_info()

    def await_waiting(self, count: int) -> None:
        """Returns once so many requests wait in line."""
        while self.kernel.waiting < count:
            time.sleep(0.005)

    def close(self) -> None:
        self.loop.run(self._close())

    async def _close(self) -> None:
        await self.kernel.close()
        self.transport.close()


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture(scope="session")
def zygote(loop: LoopThread) -> Iterator[Zygote]:
    zygote = loop.run(Zygote.start(Limits(standby=False)))
    yield zygote
    loop.run(zygote.close())


@pytest.fixture
def served(loop: LoopThread, zygote: Zygote) -> Iterator[Served]:
    served = Served(loop, loop.run(zygote.spawn()))
    yield served
    served.close()


@pytest.fixture
def peer(served: Served) -> Iterator[Peer]:
    with Peer(served.connection) as peer:
        yield peer
