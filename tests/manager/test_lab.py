"""JupyterLab as the manager serves it, seen without a browser: what is there, and what is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rlm_kernel.cli import main
from rlm_kernel.manager.lab import folder as lab_folder
from tests.manager.process import ManagerProcess

TOKEN = "s3cret-of-the-owner"
ATTACHED = {"Authorization": "Bearer s3cret-of-visitors"}
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(home: Path) -> Iterator[httpx.Client]:
    """An owner's client of a manager with JupyterLab and a token."""
    environment = {
        "RLM_KERNEL_LAB_DIR": str(home),
        "RLM_KERNEL_TOKEN": TOKEN,
        "RLM_KERNEL_ATTACH_TOKEN": "s3cret-of-visitors",
    }
    with (
        ManagerProcess("--lab", environment=environment) as manager,
        httpx.Client(
            base_url=manager.url,
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
            timeout=60,
        ) as client,
    ):
        yield client


def page_config(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found is not None
    config: dict[str, Any] = json.loads(found[1])
    return config


def test_the_page_is_there_and_the_root_leads_to_it(lab: httpx.Client) -> None:
    assert lab.get("/").headers["Location"] == "/lab"
    page = lab.get("/lab")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    script = re.search(r'src="([^"]*/main\.[^"]*\.js[^"]*)"', page.text)
    assert script is not None
    assert lab.get(script[1]).status_code == 200


def test_the_page_tells_neither_the_token_nor_where_things_are(
    lab: httpx.Client, home: Path
) -> None:
    page = lab.get("/lab").text
    assert TOKEN not in page
    assert str(home) not in page
    assert not [
        value
        for value in page_config(page).values()
        if str(value).startswith(("/tmp", "/home", "/root", "/usr"))
    ]


def test_no_script_but_the_servers_own_runs_in_the_page(lab: httpx.Client) -> None:
    policy = lab.get("/lab").headers["Content-Security-Policy"]
    [scripts] = [rule for rule in policy.split("; ") if rule.startswith("script-src")]
    assert "'unsafe-inline'" not in scripts
    assert "img-src 'self' data: blob:" in policy
    assert "default-src 'self'" in policy


@pytest.mark.parametrize("path", ["/", "/lab", "/lab/api/settings", "/api/contents", "/files/x"])
def test_nothing_of_it_is_for_those_without_the_token(lab: httpx.Client, path: str) -> None:
    assert lab.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_nothing_of_it_is_for_pages_of_other_sites(lab: httpx.Client) -> None:
    assert lab.get("/lab", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    forged = lab.put("/api/contents/x", json={}, headers={"Origin": "https://evil.example"})
    assert forged.status_code == 403


def test_notebooks_are_saved_in_the_folder(lab: httpx.Client, home: Path) -> None:
    body = {"type": "notebook", "format": "json", "content": NOTEBOOK}
    assert lab.put("/api/contents/a.ipynb", json=body).status_code == 201
    assert json.loads((home / "notebooks" / "a.ipynb").read_text())["nbformat"] == 4
    assert lab.get("/api/contents/a.ipynb").json()["content"]["cells"] == []
    assert lab.get("/files/a.ipynb").status_code == 200


@pytest.mark.parametrize("path", ["../settings/x", "..%2Fx", "%2e%2e/x", "a/../../x", ".hidden"])
def test_nothing_is_written_beside_the_folder(lab: httpx.Client, home: Path, path: str) -> None:
    before = {file for file in home.rglob("*") if "notebooks" not in file.parts}
    body = {"type": "file", "format": "text", "content": "x"}
    assert lab.put(f"/api/contents/{path}", json=body).status_code >= 400
    assert {file for file in home.rglob("*") if "notebooks" not in file.parts} == before
    assert lab.get(f"/files/{path}").status_code >= 400


def test_nothing_leads_out_of_the_folder_by_a_link(lab: httpx.Client, home: Path) -> None:
    (home / "notebooks" / "link").symlink_to("/etc")
    assert lab.get("/api/contents/link/hostname").status_code == 404
    assert lab.get("/files/link/hostname").status_code in (403, 404)
    listed = lab.get("/api/contents").json()["content"]
    assert "link" not in [entry["name"] for entry in listed]


def test_settings_and_workspaces_are_kept(lab: httpx.Client, home: Path) -> None:
    path = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
    assert lab.put(path, json={"raw": '{"theme": "JupyterLab Dark"}'}).status_code == 204
    assert json.loads(lab.get(path).text)["settings"] == {"theme": "JupyterLab Dark"}
    assert any((home / "settings").rglob("themes.*"))


def test_who_is_attached_reads_and_leaves_nothing(lab: httpx.Client, home: Path) -> None:
    before = sorted(home.rglob("*"))
    for path in ("/lab", "/api/contents", "/lab/api/settings", "/lab/api/workspaces"):
        assert lab.get(path, headers=ATTACHED).status_code == 200
    file = {"type": "file", "format": "text", "content": "x"}
    assert lab.put("/api/contents/x.txt", json=file, headers=ATTACHED).status_code == 403
    setting = "/lab/api/settings/@jupyterlab/notebook-extension:tracker"
    assert lab.put(setting, json={"raw": "{}"}, headers=ATTACHED).status_code == 403
    layout = {"data": {}, "metadata": {"id": "x"}}
    assert lab.put("/lab/api/workspaces/x", json=layout, headers=ATTACHED).status_code == 204
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize(
    "path",
    ["/api/terminals", "/terminals/1", "/api/config/x", "/api/shutdown"],
)
def test_what_would_reach_beyond_is_not_there(lab: httpx.Client, path: str) -> None:
    assert lab.get(path).status_code == 404
    assert lab.post(path).status_code == 404


@pytest.mark.parametrize("what", ["build", "extensions", "plugins", "update", "licenses"])
def test_nothing_can_be_installed_or_built(lab: httpx.Client, what: str) -> None:
    """Every unknown path below /lab is the page, which only says that it is not there."""
    assert lab.get(f"/lab/api/{what}").headers["Content-Type"].startswith("text/html")
    assert lab.post(f"/lab/api/{what}").status_code == 405


def test_a_manager_without_it_has_no_such_pages(http: httpx.Client) -> None:
    for path in ("/", "/lab", "/api/contents", "/static/lab/x"):
        assert http.get(path).status_code == 404


def test_serving_it_where_it_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab_folder, "find_spec", lambda _name: None)
    assert main(["serve", "--lab", "--port", "0"]) == 2
    assert "pip install 'rlm-kernel[lab]'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["serve", "--lab", "--lab-dir", str(tmp_path / "file"), "--port", "0"]) == 2
    assert "JupyterLab cannot use" in capsys.readouterr().err
