"""Puts Jupyter Server's routes into the manager's application."""

from __future__ import annotations

from datetime import UTC, datetime

from tornado.web import Application

from rlm_kernel.manager.handlers.base import Services
from rlm_kernel.manager.jupyter.connection import SessionConnection
from rlm_kernel.manager.jupyter.handlers import ROUTES
from rlm_kernel.manager.jupyter.identity import DoorAuthorizer, DoorIdentity
from rlm_kernel.manager.jupyter.kernels import SessionKernels
from rlm_kernel.manager.jupyter.records import SessionRecords
from rlm_kernel.manager.jupyter.specs import SessionSpecs


def mount(application: Application, services: Services) -> None:
    """Adds the routes, and the settings that Jupyter Server's handlers look for."""
    kernels = SessionKernels(services.manager)
    identity = DoorIdentity(services.door)
    application.settings.update(
        base_url="/",
        started=datetime.now(UTC),
        kernel_manager=kernels,
        kernel_spec_manager=SessionSpecs(),
        session_manager=SessionRecords(kernels),
        kernel_websocket_connection_class=SessionConnection,
        identity_provider=identity,
        authorizer=DoorAuthorizer(identity_provider=identity),
        websocket_max_message_size=services.max_body_bytes,
        # The door has looked at Host, Origin and Sec-Fetch-Site already.
        allow_remote_access=True,
        disable_check_xsrf=True,
    )
    application.add_handlers(".*$", ROUTES)
