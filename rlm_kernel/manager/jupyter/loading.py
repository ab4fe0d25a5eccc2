"""Jupyter Server's routes, brought in when somebody first asks for one of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import Context
from importlib import import_module
from types import ModuleType
from typing import cast

from tornado.web import Application

from rlm_kernel.errors import ManagerError
from rlm_kernel.manager.handlers.base import Services

_log = logging.getLogger(__name__)

Extension = Callable[[Application, Services], None]
"""Adds routes of its own to an application that has Jupyter Server's already."""

JUPYTER = "rlm_kernel.manager.jupyter.mount"
SLOW_EXTRA = "rfc3987_syntax"
"""jsonschema imports it where it is there, to check whether texts are IRIs. Nothing here asks for
that, and it takes most of the time of the whole import: it compiles a grammar."""
PREFIXES = ("/api", "/kernelspecs")


class LateRoutes:
    """Imports modules off the event loop and has each one's `mount` add its routes.

    `modules` have a function `mount(application, services)`. Paths that begin with one of
    `prefixes` are theirs.
    """

    def __init__(
        self,
        services: Services,
        modules: tuple[str, ...] = (JUPYTER,),
        prefixes: tuple[str, ...] = PREFIXES,
    ) -> None:
        self._services = services
        self._modules = modules
        self._prefixes = prefixes
        self._loading: asyncio.Task[None] | None = None

    def extend(self, module: str, prefixes: tuple[str, ...]) -> None:
        """Has another module's routes come with the others."""
        self._modules += (module,)
        self._prefixes += prefixes

    def expects(self, path: str) -> bool:
        """Whether a request to this path has to wait for `ready`."""
        return not self._done and any(
            path == prefix or path.startswith(f"{prefix}/") for prefix in self._prefixes
        )

    async def ready(self, application: Application) -> None:
        """Returns once the routes are there. Raises ManagerError, each time, if they cannot be."""
        if self._loading is None:
            # In a context of its own: it is not for the one session that is asked about just now.
            self._loading = asyncio.create_task(self._load(application), context=Context())
        # One who waits and goes away must not end it for the others.
        await asyncio.shield(self._loading)

    @property
    def _done(self) -> bool:
        loading = self._loading
        return loading is not None and loading.done() and loading.exception() is None

    async def _load(self, application: Application) -> None:
        try:
            await self._bring_in(application)
        except Exception as error:
            _log.exception("the routes of Jupyter Server cannot be brought in")
            raise ManagerError("Jupyter Server cannot be used; the log has the details") from error

    async def _bring_in(self, application: Application) -> None:
        started = time.perf_counter()
        with _frequent_turns(), _without(SLOW_EXTRA):
            modules = [await asyncio.to_thread(import_module, name) for name in self._modules]
        for module in modules:
            module.mount(application, self._services)
        seconds = round(time.perf_counter() - started, 3)
        _log.info("the routes of Jupyter Server are there", extra={"seconds": seconds})


@contextlib.contextmanager
def _without(module: str) -> Iterator[None]:
    """Has a module that is not imported yet seem not to be installed."""
    absent = sys.modules.setdefault(module, cast(ModuleType, None)) is None
    try:
        yield
    finally:
        if absent:
            del sys.modules[module]


@contextlib.contextmanager
def _frequent_turns() -> Iterator[None]:
    """Has the event loop wait for the importing thread a tenth as long as it would."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
