"""Which path is answered by which handler."""

from __future__ import annotations

import json
import logging
from functools import cached_property

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.web import Application, RequestHandler

from rlm_kernel.agent.service.handlers import (
    chat,
    description,
    health,
    infer,
    metrics,
    models,
    page,
    runs,
)
from rlm_kernel.agent.service.handlers.base import Services
from rlm_kernel.agent.service.interface import INTERFACE
from rlm_kernel.http.access import AccessLog
from rlm_kernel.http.answer_headers import AnswerHeaders
from rlm_kernel.http.handler import UnknownRoute
from rlm_kernel.http.login import Login, is_login

ROUTES: tuple[tuple[str, type[RequestHandler]], ...] = (
    (r"/infer", infer.Infer),
    (r"/v1/chat/completions", chat.Completions),
    (r"/v1/models", models.AllModels),
    (r"/runs", runs.AllRuns),
    (r"/runs/([0-9a-f]{32})\.(ipynb|jsonl|json|txt)", runs.RunAs),
    (r"/runs/([^/]+)", runs.OneRun),
    (r"/health", health.Alive),
    (r"/ready", health.Ready),
    (r"/metrics", metrics.Scrape),
    (r"/metrics/manager", metrics.ScrapeManager),
    (r"/openapi.json", description.OpenAPI),
    (r"/", page.Page),
    (r"/page/([a-z]+\.[a-z]+)", page.PageFile),
)
_PROBES = (health.Alive, health.Ready, metrics.Scrape)
_access_log = logging.getLogger("rlm_kernel.agent.access")


class AgentApplication(Application):
    """The tornado application over `services`."""

    def __init__(self, services: Services) -> None:
        given = {"services": services}
        names = {handler: INTERFACE.template(pattern) for pattern, handler in ROUTES}
        super().__init__(
            [(path, handler, given) for path, handler in ROUTES],
            default_handler_class=UnknownRoute,
            default_handler_args=given,
            log_function=AccessLog(services.metrics, names, _PROBES, _access_log),
            transforms=[AnswerHeaders],
        )
        self._given = given

    @cached_property
    def description(self) -> bytes:
        """The OpenAPI document."""
        return json.dumps(INTERFACE.describe(ROUTES)).encode()

    def find_handler(  # type: ignore[override]  # any delegate will do for tornado
        self, request: HTTPServerRequest, **kwargs: object
    ) -> HTTPMessageDelegate:
        if is_login(request):
            return self.get_handler_delegate(request, Login, self._given)
        return super().find_handler(request, **kwargs)
