"""The page of JupyterLab, and what its handlers ask of the extension that they belong to."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import jupyterlab  # type: ignore[import-untyped]
from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader
from jupyter_core.paths import jupyter_path
from jupyter_server import version_info
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyterlab.commands import get_app_dir  # type: ignore[import-untyped]
from jupyterlab_server.config import LabConfig
from jupyterlab_server.handlers import LabHandler
from jupyterlab_server.handlers import NotFoundHandler as LabNotFoundHandler
from jupyterlab_server.settings_handler import SettingsHandler
from jupyterlab_server.translations_handler import TranslationsHandler
from jupyterlab_server.workspaces_handler import WorkspacesHandler
from tornado.web import HTTPError, authenticated

from rlm_kernel.manager.jupyter.identity import visitor_of
from rlm_kernel.manager.lab.folder import LabFolder
from rlm_kernel.manager.lab.policy import content_security_policy

NAME = "lab"
STATIC_URL = f"/static/{NAME}/"
DEFAULTS = Path(__file__).with_name("settings")
"""Of the page: which plugins are left out, and what settings begin with."""

ERROR_PAGE = {
    "error.html": "<!doctype html><title>{{ status_message }}</title>"
    "<p>{{ status_code }}: {{ status_message }}</p>"
}


class Lab(LabConfig):
    """JupyterLab as it is installed, with its users' settings and workspaces in `folder`."""

    def __init__(self, folder: LabFolder) -> None:
        installed = Path(get_app_dir())
        super().__init__(
            app_name="JupyterLab",
            app_version=jupyterlab.__version__,
            app_namespace=NAME,
            app_settings_dir=str(DEFAULTS),
            labextensions_path=jupyter_path("labextensions"),
            schemas_dir=str(installed / "schemas"),
            static_dir=str(installed / "static"),
            templates_dir=str(installed / "static"),
            themes_dir=str(installed / "themes"),
            user_settings_dir=str(folder.settings),
            workspaces_dir=str(folder.workspaces),
            licenses_url="",
        )
        self.settings: dict[str, Any] = {}
        self.log = logging.getLogger(__name__)
        self.static_url_prefix = STATIC_URL
        self.policy = content_security_policy(installed / "static" / "index.html")
        loader = ChoiceLoader([FileSystemLoader(self.templates_dir), DictLoader(ERROR_PAGE)])
        self.templates = Environment(loader=loader, autoescape=True, extensions=["jinja2.ext.i18n"])

    def told_to(self, handler: LabHandler, config: dict[str, Any]) -> dict[str, Any]:
        """What the page of a visitor is told: not where things are on this machine.

        A notebook that is opened starts a session only for those who may start one.
        """
        ours = {name for name in config if name.endswith(("Dir", "abextensionsPath"))}
        told = {name: value for name, value in config.items() if name not in ours}
        return {**told, "notebookStartsKernel": visitor_of(handler).is_owner}

    def page_config(self) -> dict[str, Any]:
        """What the page is told beside what JupyterLab's own handler tells it."""
        return {
            "buildAvailable": False,
            "buildCheck": False,
            "devMode": False,
            "exposeAppInBrowser": False,
            "notebookVersion": json.dumps(version_info),
            "quitButton": False,
            "terminalsAvailable": False,
            "token": "",
        }


class Page(LabHandler):
    """`/lab`, and its workspaces and documents."""

    @property
    def content_security_policy(self) -> str:
        lab: Lab = self.settings[NAME]
        return lab.policy


class Exporters(APIHandler):
    """`/api/nbconvert`: the page asks what notebooks can be converted to, which is nothing."""

    auth_resource = "nbconvert"

    @authenticated
    @authorized
    def get(self) -> None:
        self.finish("{}")


class _OwnersWrite(APIHandler):
    """What JupyterLab's own handlers let everybody change."""

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        if self.request.method not in ("GET", "HEAD") and not visitor_of(self).is_owner:
            self.refuse()

    def refuse(self) -> None:
        raise HTTPError(403, "to change this takes the owner's token")


class Settings(_OwnersWrite, SettingsHandler):
    """`/lab/api/settings`"""


class Translations(_OwnersWrite, TranslationsHandler):
    """`/lab/api/translations`"""


class Workspaces(_OwnersWrite, WorkspacesHandler):
    """`/lab/api/workspaces`: how the page is laid out.

    The page saves that all the time. For those who are attached it is not kept, and to refuse it
    would have the page complain again and again.
    """

    def refuse(self) -> None:
        self.set_status(204)
        self.finish()


class NotFoundPage(LabNotFoundHandler, Page):
    """Every other path below `/lab`."""
