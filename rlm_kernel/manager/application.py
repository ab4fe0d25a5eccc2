"""Which path is answered by which handler."""

from __future__ import annotations

import json
import logging
import re
from functools import cached_property

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.web import Application, RedirectHandler, RequestHandler

from rlm_kernel.errors import RLMKernelError
from rlm_kernel.http.access import AccessLog
from rlm_kernel.http.answer_headers import AnswerHeaders
from rlm_kernel.http.handler import Handler, Refusal, UnknownRoute
from rlm_kernel.http.login import Login, is_login
from rlm_kernel.manager.handlers import description, execute, files, health, metrics, sessions
from rlm_kernel.manager.handlers.base import Services
from rlm_kernel.manager.interface import INTERFACE
from rlm_kernel.manager.jupyter.entrance import Entrance
from rlm_kernel.manager.jupyter.loading import LateRoutes

_access_log = logging.getLogger("rlm_kernel.manager.access")

LAB = "rlm_kernel.manager.lab.mount"
LAB_PREFIXES = ("/lab", "/static", "/files")

_SESSION = r"/session/([^/]+)"
ROUTES: tuple[tuple[str, type[RequestHandler]], ...] = (
    (r"/session", sessions.NewSession),
    (_SESSION, sessions.OneSession),
    (rf"{_SESSION}/execute", execute.Execute),
    (rf"{_SESSION}/fork", sessions.Fork),
    (rf"{_SESSION}/interrupt", sessions.Interrupt),
    (rf"{_SESSION}/restart", sessions.Restart),
    (rf"{_SESSION}/connection", sessions.Connection),
    (rf"{_SESSION}/replay", sessions.Replay),
    (rf"{_SESSION}/files", files.Home),
    (rf"{_SESSION}/files/(|.*/)", files.Folder),
    (rf"{_SESSION}/files/(.+)", files.OneFile),
    (r"/sessions", sessions.AllSessions),
    (r"/health", health.Alive),
    (r"/ready", health.Ready),
    (r"/metrics", metrics.Scrape),
    (r"/openapi.json", description.OpenAPI),
)
_FOREIGN_ROUTES = ("api", "kernelspecs", "lab", "static")
_PROBES = (health.Alive, health.Ready, metrics.Scrape)


class ManagerApplication(Application):
    """The tornado application over `services`, with Jupyter Server's routes once they are needed.

    Our own handlers ask the door themselves. No other handler, whoever adds it to the application,
    gets a request that the door has not admitted.
    """

    def __init__(self, services: Services) -> None:
        given = {"services": services}
        super().__init__(
            [(path, handler, given) for path, handler in ROUTES],
            default_handler_class=UnknownRoute,
            default_handler_args=given,
            log_function=AccessLog(
                services.metrics, _route_names(), _PROBES, _access_log, _FOREIGN_ROUTES
            ),
            transforms=[AnswerHeaders],
        )
        self.late = LateRoutes(services)
        if services.lab is not None:
            self.late.extend(LAB, LAB_PREFIXES)
            self.add_handlers(".*$", [(r"/", RedirectHandler, {"url": "/lab", "permanent": False})])
        self._services = services

    @cached_property
    def description(self) -> bytes:
        """The OpenAPI document of our own routes."""
        return json.dumps(INTERFACE.describe(ROUTES)).encode()

    def find_handler(  # type: ignore[override]  # any delegate will do for tornado
        self, request: HTTPServerRequest, **kwargs: object
    ) -> HTTPMessageDelegate:
        found = super().find_handler(request, **kwargs)
        if issubclass(found.handler_class, Handler) and not self.late.expects(request.path):
            return found
        return Entrance(request, self._admit, self._refuse, self._services.max_body_bytes)

    async def _admit(self, request: HTTPServerRequest) -> HTTPMessageDelegate:
        self._services.admit(request)
        if is_login(request):
            return self.get_handler_delegate(request, Login, {"services": self._services})
        if self.late.expects(request.path):
            await self.late.ready(self)
        return super().find_handler(request)

    def _refuse(self, request: HTTPServerRequest, error: RLMKernelError) -> HTTPMessageDelegate:
        given = {"services": self._services, "error": error}
        return self.get_handler_delegate(request, Refusal, given)


def _route_names() -> dict[type[RequestHandler], str]:
    """`/session/{id}/files/{path}` for the handler behind it."""
    names = {}
    for pattern, handler in ROUTES:
        named = re.sub(r"\(\[\^/\]\+\)", "{id}", pattern)
        names[handler] = re.sub(r"\([^()]*\)", "{path}", named)
    return names
