"""Which path is answered by which handler."""

from __future__ import annotations

import logging

from tornado.web import Application, RequestHandler

from rlm_kernel.manager.handlers import execute, files, health, sessions
from rlm_kernel.manager.handlers.base import Services, UnknownRoute

_log = logging.getLogger("rlm_kernel.manager.access")

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
    (rf"{_SESSION}/files/(.+)", files.SessionFile),
    (r"/sessions", sessions.AllSessions),
    (r"/health", health.Alive),
    (r"/ready", health.Ready),
)


def application(services: Services) -> Application:
    """The tornado application over `services`."""
    given = {"services": services}
    return Application(
        [(path, handler, given) for path, handler in ROUTES],
        default_handler_class=UnknownRoute,
        default_handler_args=given,
        log_function=_log_request,
    )


def _log_request(handler: RequestHandler) -> None:
    # Probes come every few seconds for as long as the manager lives.
    level = logging.DEBUG if isinstance(handler, health.Alive | health.Ready) else logging.INFO
    request = handler.request
    _log.log(
        level,
        "%s %s",
        request.method,
        request.path,
        extra={"status": handler.get_status(), "ms": round(request.request_time() * 1000, 2)},
    )
