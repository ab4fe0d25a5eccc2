"""An asyncio event loop whose only source of events is the link to the session's owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

from rlm_kernel.guest.link import Link
from rlm_kernel.guest.refusals import no_names, no_network, no_subprocesses
from rlm_kernel.guest.reserve import Reserve


class LinkSelector:
    """What `BaseEventLoop` asks to wait. Frames that arrive wake the loop through a callback."""

    def __init__(self, link: Link, on_frames: Callable[[], None]) -> None:
        self._link = link
        self._on_frames = on_frames

    def select(self, timeout: float | None) -> list[Any]:
        self._link.wait(timeout)
        self._on_frames()
        return []


class SessionLoop(asyncio.BaseEventLoop):
    """Runs tasks, timers and callbacks. Sockets, pipes and subprocesses are refused."""

    def __init__(self, link: Link, on_frames: Callable[[], None], reserve: Reserve) -> None:
        super().__init__()
        self._on_frames = on_frames
        self._reserve = reserve
        self._selector = LinkSelector(link, on_frames)

    def _process_events(self, event_list: list[Any]) -> None:
        """Frames are handled by the selector's callback."""

    def _write_to_self(self) -> None:
        """There is no other thread that could need to wake the loop."""

    async def getaddrinfo(self, *_arguments: Any, **_options: Any) -> NoReturn:
        raise no_names()

    async def create_server(self, *_arguments: Any, **_options: Any) -> NoReturn:
        raise no_network()

    create_unix_server = create_unix_connection = create_server

    async def _make_subprocess_transport(self, *_arguments: Any, **_options: Any) -> NoReturn:
        raise no_subprocesses()

    def run_until_closed(self) -> None:
        """Runs for ever, through what hits the loop itself: interrupts, and the end of memory."""
        while not self.is_closed():
            try:
                self.run_forever()
            except KeyboardInterrupt:
                continue
            except MemoryError:
                self._reserve.release()
                self.call_soon(self._on_frames)
