"""What a person does in JupyterLab, and a program over HTTP at the same time."""

from __future__ import annotations

from typing import Any

import httpx
from jupyter_client.connect import KernelConnectionInfo
from playwright.sync_api import Locator, Page, expect

from tests.notebooks import new_notebook

PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


class Lab:
    """A page of JupyterLab and a session that a program created, `name` tells them from others."""

    def __init__(self, page: Page, http: httpx.Client, name: str) -> None:
        self.page = page
        self._http = http
        self._name = name
        self.session = str(http.post("/session").json()["session_id"])

    def run(self, code: str) -> dict[str, Any]:
        """Have the program run a cell."""
        answer = self._http.post(f"/session/{self.session}/execute", json={"code": code})
        result: dict[str, Any] = answer.json()
        return result

    def connection(self) -> KernelConnectionInfo:
        """What a connection file of the session holds."""
        info: KernelConnectionInfo = self._http.get(f"/session/{self.session}/connection").json()
        return info

    def open(self, path: str = "") -> None:
        """Open JupyterLab in a workspace of its own."""
        self.page.goto(f"{self._http.base_url}/lab/workspaces/{self._name}{path}")
        expect(self.page.locator("#jp-main-dock-panel")).to_be_visible()

    def open_notebook(self, *sources: str) -> Locator:
        """Open a new notebook and connect it to the session; returns its cells."""
        path = f"{self._name}.ipynb"
        body = {"type": "notebook", "format": "json", "content": new_notebook(*sources)}
        self._http.put(f"/api/contents/{path}", json=body).raise_for_status()
        self.open(f"/tree/{path}")
        self.page.locator(".jp-NotebookPanel [data-jp-item-name='kernelName']").click()
        dialog = self.page.locator(".jp-Dialog")
        option = dialog.locator(f"option[value*='{self.session}']").first
        value = option.get_attribute("value")
        dialog.locator("select").select_option(value=value)
        dialog.get_by_role("button", name="Select").click()
        expect(self.page.locator("#jp-bottom-panel")).to_contain_text("| Idle")  # connected
        return self.page.locator(".jp-NotebookPanel .jp-CodeCell")

    def press_run(self, cell: Locator) -> None:
        """Run a cell of a notebook as its reader does."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def open_console(self) -> Locator:
        """Open a console on the session, by the list of what runs."""
        self.open()
        self.page.locator("[data-id='jp-running-sessions']").click()
        kernels = self.page.locator("#jp-running-sessions")
        kernels.get_by_text(f"session {self.session[:8]}").last.click()
        console = self.page.locator(".jp-CodeConsole")
        expect(console).to_contain_text("in WebAssembly")  # the banner: it is connected
        return console

    def open_context_menu(self, place: Locator) -> Locator:
        place.click(button="right")
        return self.page.locator(".lm-Menu")
