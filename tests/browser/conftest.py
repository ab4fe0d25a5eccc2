"""A real Chromium in front of JupyterLab, which a manager of its own serves."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.browser.lab import PATIENCE_MS, Lab
from tests.manager.process import ManagerProcess

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OWNER, VISITOR = "token-of-the-program", "token-of-the-person"
ARTEFACTS = Path(__file__).parents[2] / ".artefacts" / "browser"
"""Where each test leaves a picture of how its page looked in the end."""


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerProcess]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    folder = tmp_path_factory.mktemp("lab")
    tokens = {"RLM_KERNEL_TOKEN": OWNER, "RLM_KERNEL_ATTACH_TOKEN": VISITOR}
    with ManagerProcess("--lab", "--lab-dir", str(folder), environment=tokens) as process:
        yield process


@pytest.fixture(scope="module")
def http(manager: ManagerProcess) -> Iterator[httpx.Client]:
    """The program, which owns the sessions."""
    with httpx.Client(
        base_url=manager.url,
        headers={"Authorization": f"Bearer {OWNER}"},
        trust_env=False,
        timeout=PATIENCE_MS / 1000,
    ) as client:
        yield client


@pytest.fixture(scope="module")
def browser(manager: ManagerProcess) -> Iterator[BrowserContext]:
    """One browser for all tests of a module: what is the same in every page is loaded once.

    Who sits there came in by a link with the attach token.

    It ends with the module, since as long as it is there no event loop can run in this thread.
    """
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = chromium.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE_MS)
        link = f"{manager.url}/lab?token={VISITOR}"
        context.request.get(link, headers={"Accept": "text/html"})
        yield context
        chromium.close()


@pytest.fixture
def page(browser: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name)
    page.screenshot(path=ARTEFACTS / f"{name}.png")
    page.close()


@pytest.fixture
def lab(page: Page, http: httpx.Client, request: pytest.FixtureRequest) -> Lab:
    return Lab(page, http, re.sub(r"\W+", "-", request.node.name)[:40])
