"""Puts JupyterLab into the manager's application, on top of Jupyter Server's routes."""

from __future__ import annotations

from typing import Any

from jupyter_server import DEFAULT_STATIC_FILES_PATH
from jupyter_server.base.handlers import FileFindHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyter_server.services.contents import handlers as contents
from jupyter_server.services.events.handlers import SubscribeWebsocket
from jupyterlab_server.handlers import LabHandler, NotFoundHandler, add_handlers
from jupyterlab_server.settings_handler import SettingsHandler
from jupyterlab_server.themes_handler import ThemesHandler
from jupyterlab_server.translations_handler import TranslationsHandler
from jupyterlab_server.workspaces_handler import WorkspacesHandler
from tornado.web import Application

from rlm_kernel.manager.handlers.base import Services
from rlm_kernel.manager.lab import page
from rlm_kernel.manager.lab.contents import LabFiles
from rlm_kernel.manager.lab.page import NAME, STATIC_URL, Exporters, Lab

HANDLERS: dict[type[Any], type[Any]] = {
    FileFindHandler: FileFindHandler,
    LabHandler: page.Page,
    NotFoundHandler: page.NotFoundPage,
    SettingsHandler: page.Settings,
    ThemesHandler: ThemesHandler,
    TranslationsHandler: page.Translations,
    WorkspacesHandler: page.Workspaces,
}
"""What stands for JupyterLab's; the others look at what is installed here, or on the internet."""


def mount(application: Application, services: Services) -> None:
    """Adds the routes, and the settings that their handlers look for."""
    assert services.lab is not None
    lab = Lab(services.lab)
    files = LabFiles(services.lab.notebooks)
    application.settings.update(
        {
            NAME: lab,
            f"{NAME}_jinja2_env": lab.templates,
            "jinja2_env": lab.templates,
            "page_config_data": lab.page_config(),
            "page_config_hook": lab.told_to,
            "contents_manager": files,
            "event_logger": files.event_logger,
            "serverapp": None,
            "static_handler_class": FileFindHandler,
        }
    )
    application.add_handlers(
        ".*$",
        [
            *contents.default_handlers[:-1],  # the last one is for clients of long ago
            *files.get_extra_handlers(),  # type: ignore[no-untyped-call]
            (r"/api/events/subscribe", SubscribeWebsocket),
            (r"/api/nbconvert", Exporters),
            (f"{STATIC_URL}(.*)", FileFindHandler, {"path": [lab.static_dir]}),
            (r"/static/(favicons/.*)", FileFindHandler, {"path": [DEFAULT_STATIC_FILES_PATH]}),
            *_lab_routes(lab),
        ],
    )


def _lab_routes(lab: Lab) -> list[Any]:
    routes: list[Any] = []
    add_handlers(routes, lab)  # type: ignore[arg-type]  # it is all that they ask for
    kept: list[Any] = []
    for path, handler, *given in routes:
        if handler in HANDLERS:
            name = {"name": NAME} if issubclass(handler, ExtensionHandlerMixin) else {}
            kept.append((path, HANDLERS[handler], {**name, **(given[0] if given else {})}))
    return kept
