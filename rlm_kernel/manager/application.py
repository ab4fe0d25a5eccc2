"""Which path is answered by which handler."""

from __future__ import annotations

import re

from tornado.web import Application, RequestHandler

from rlm_kernel.manager.access import AccessLog
from rlm_kernel.manager.answer_headers import AnswerHeaders
from rlm_kernel.manager.handlers import execute, files, health, metrics, sessions
from rlm_kernel.manager.handlers.base import Services, UnknownRoute

_SESSION = r"/session/([^/]+)"
ROUTES: tuple[tuple[str, type[RequestHandler]], ...] = (
    (r"/session", sessions.NewSession),
    (_SESSION, sessions.OneSession),
    (rf"{_SESSION}/execute", execute.Execute),
    (rf"{_SESSION}/interrupt", sessions.Interrupt),
    (rf"{_SESSION}/restart", sessions.Restart),
    (rf"{_SESSION}/connection", sessions.Connection),
    (rf"{_SESSION}/replay", sessions.Replay),
    (rf"{_SESSION}/files/(.+)", files.SessionFile),
    (r"/sessions", sessions.AllSessions),
    (r"/health", health.Alive),
    (r"/ready", health.Ready),
    (r"/metrics", metrics.Scrape),
)
_PROBES = (health.Alive, health.Ready, metrics.Scrape)


def application(services: Services) -> Application:
    """The tornado application over `services`."""
    given = {"services": services}
    return Application(
        [(path, handler, given) for path, handler in ROUTES],
        default_handler_class=UnknownRoute,
        default_handler_args=given,
        log_function=AccessLog(services.metrics, _route_names(), _PROBES),
        transforms=[AnswerHeaders],
    )


def _route_names() -> dict[type[RequestHandler], str]:
    """`/session/{id}/files/{path}` for the handler behind it."""
    names = {}
    for pattern, handler in ROUTES:
        named = re.sub(r"\(\[\^/\]\+\)", "{id}", pattern)
        names[handler] = re.sub(r"\(\.[*+]\)", "{path}", named)
    return names
