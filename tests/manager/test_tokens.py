"""Two tokens: the owner's, and that of those who look into sessions and run code in them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import KernelConnectionInfo

from tests.manager.jupyter.socket_client import SocketClient
from tests.manager.jupyter.test_websocket import upgrade
from tests.manager.process import ManagerProcess
from tests.manager.test_sessions import run

OWNER, ATTACH = "0wner-t0ken", "4ttach-t0ken"
TOKENS = {"RLM_KERNEL_TOKEN": OWNER, "RLM_KERNEL_ATTACH_TOKEN": ATTACH}
PATIENCE = 60


@pytest.fixture(scope="module")
def locked() -> Iterator[ManagerProcess]:
    with ManagerProcess(environment={**TOKENS, "LOG_LEVEL": "DEBUG"}) as process:
        yield process
        # Whatever these tests have sent.
        for token in (OWNER, ATTACH):
            assert token not in process.log()


def client(manager: ManagerProcess, token: str | None = None, **options: Any) -> httpx.Client:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.Client(
        base_url=manager.url, headers=headers, trust_env=False, timeout=PATIENCE, **options
    )


@pytest.fixture
def owner(locked: ManagerProcess) -> Iterator[httpx.Client]:
    with client(locked, OWNER) as http:
        yield http
        http.delete("/sessions")


@pytest.fixture
def guest(locked: ManagerProcess) -> Iterator[httpx.Client]:
    with client(locked, ATTACH) as http:
        yield http


@pytest.fixture
def shared(owner: httpx.Client) -> str:
    """The path of a session of the owner."""
    return f"/session/{owner.post('/session').json()['session_id']}"


def test_both_look_and_run(owner: httpx.Client, guest: httpx.Client, shared: str) -> None:
    run(owner, shared, "x = 20")
    assert run(guest, shared, "x + 1")["result"] == "21"
    for path in (shared, "/sessions", "/ready", f"{shared}/replay", "/api/kernels", "/api/me"):
        assert guest.get(path).status_code == 200
    assert guest.put(f"{shared}/files/a.txt", content=b"1").status_code == 204
    assert guest.post(f"{shared}/interrupt").status_code == 204
    assert guest.post(f"{shared}/restart").status_code == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/session"),
        ("DELETE", "/sessions"),
        ("POST", "/session/{}/fork"),
        ("POST", "/api/kernels"),
    ],
)
def test_only_the_owner_creates_and_ends(
    guest: httpx.Client, owner: httpx.Client, shared: str, method: str, path: str
) -> None:
    session_id = shared.removeprefix("/session/")
    assert guest.request(method, path.format(session_id)).status_code == 403
    (left,) = owner.get("/sessions").json()["sessions"]
    assert left["session_id"] == session_id


def test_what_a_guest_deletes_is_only_detached_from(
    guest: httpx.Client, owner: httpx.Client, shared: str
) -> None:
    for path in (shared, shared.replace("/session", "/api/kernels")):
        assert guest.delete(path).status_code == 204
        assert owner.get(path).status_code == 200
    assert guest.delete("/session/none").status_code == 404


def test_a_guest_adopts_a_kernel_and_leaves_it(
    guest: httpx.Client, owner: httpx.Client, shared: str
) -> None:
    kernel_id = shared.removeprefix("/session/")
    notebook = {"path": "a.ipynb", "name": "a", "type": "notebook"}
    assert guest.post("/api/sessions", json=notebook).status_code == 403
    opened = guest.post("/api/sessions", json={**notebook, "kernel": {"id": kernel_id}}).json()
    assert guest.delete(f"/api/sessions/{opened['id']}").status_code == 204
    assert opened["id"] not in [entry["id"] for entry in guest.get("/api/sessions").json()]
    assert owner.get(shared).status_code == 200


def test_a_guest_does_not_give_a_notebook_a_fresh_kernel(
    guest: httpx.Client, owner: httpx.Client
) -> None:
    notebook = {"path": "a.ipynb", "name": "a", "type": "notebook"}
    opened = owner.post("/api/sessions", json=notebook).json()
    changed = guest.patch(f"/api/sessions/{opened['id']}", json={"kernel": {"name": "rlm-kernel"}})
    assert changed.status_code == 403
    assert len(owner.get("/api/kernels").json()) == 1


def shut_down(connection: dict[str, Any]) -> str:
    """The status that answers a shutdown request over ZMQ."""
    jupyter = BlockingKernelClient()
    jupyter.load_connection_info(cast(KernelConnectionInfo, connection))
    jupyter.start_channels(hb=False)
    try:
        jupyter.shutdown()
        status: str = jupyter.get_control_msg(timeout=PATIENCE)["content"]["status"]
        return status
    finally:
        jupyter.stop_channels()


def test_the_ports_of_a_guest_do_not_end_the_session(
    guest: httpx.Client, owner: httpx.Client, shared: str
) -> None:
    run(owner, shared, "x = 1")
    connection = guest.get(f"{shared}/connection").json()
    assert connection["key"] != owner.get(f"{shared}/connection").json()["key"]
    assert shut_down(connection) == "ok"
    assert run(owner, shared, "x")["result"] == "1"


def test_the_ports_of_the_owner_end_the_session(owner: httpx.Client, shared: str) -> None:
    assert shut_down(owner.get(f"{shared}/connection").json()) == "ok"
    while owner.get(shared).status_code == 200:
        continue
    assert owner.get(shared).status_code == 404


def test_a_token_may_be_in_the_url(locked: ManagerProcess) -> None:
    with client(locked) as http:
        assert http.get("/api/kernels").status_code == 401
        assert http.get("/api/kernels", params={"token": ATTACH}).status_code == 200
        assert http.get("/api/kernels", params={"token": "wrong"}).status_code == 401
        assert http.get("/sessions", params={"token": ATTACH}).status_code == 200


def test_a_page_gets_a_cookie_and_an_address_without_the_token(locked: ManagerProcess) -> None:
    with client(locked) as http:
        page = http.get(
            "/api/kernels", params={"x": "ä&", "token": ATTACH}, headers={"Accept": "text/html"}
        )
        assert page.status_code == 302
        assert page.headers["Location"] == "/api/kernels?x=%C3%A4%26"
        cookie = page.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert ATTACH not in cookie
        assert http.get("/api/kernels").status_code == 200
        assert http.post("/session").status_code == 403
        assert http.get("/sessions", headers={"Origin": "http://evil.example"}).status_code == 403


def test_the_place_behind_a_login_is_of_this_manager(locked: ManagerProcess) -> None:
    with client(locked) as http:
        url = f"{locked.url}//evil.example/api/../api?token={ATTACH}"
        page = http.get(url, headers={"Accept": "text/html"})
        assert not page.headers.get("Location", "").startswith(("//", "http"))


def test_a_wrong_cookie_is_no_token(locked: ManagerProcess) -> None:
    name = "rlm-kernel-" + locked.url.removeprefix("http://").replace(".", "-").replace(":", "-")
    for value in ("", "x", OWNER, "\xe9"):
        with client(locked) as http:
            answer = http.get("/sessions", headers={b"Cookie": f"{name}={value}".encode()})
            assert answer.status_code == 401


@pytest.mark.parametrize("token", [None, OWNER])
def test_an_attach_token_needs_an_other_token_beside_it(token: str | None) -> None:
    environment = {"RLM_KERNEL_ATTACH_TOKEN": OWNER} | (
        {"RLM_KERNEL_TOKEN": token} if token else {}
    )
    done = subprocess.run(
        [sys.executable, "-m", "rlm_kernel", "serve", "--port", "0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode != 0
    assert "RLM_KERNEL_ATTACH_TOKEN" in done.stderr
    assert OWNER not in done.stderr


def test_a_guest_attaches_by_websocket_and_ends_nothing(
    locked: ManagerProcess, owner: httpx.Client, shared: str
) -> None:
    run(owner, shared, "x = 1")
    kernel_id = shared.removeprefix("/session/")
    with SocketClient(locked.url, kernel_id, query=f"&token={ATTACH}") as guest:
        guest.ask("shutdown_request", {"restart": False}, "control")
        assert run(owner, shared, "x")["result"] == "1"
    with SocketClient(
        locked.url, kernel_id, header={"Authorization": f"token {OWNER}"}
    ) as of_owner:
        of_owner.send("shutdown_request", {"restart": False}, "control")
        assert of_owner.closing()[0] == 1001
    assert owner.get(shared).status_code == 404


def test_the_cookie_opens_no_websocket_for_a_page_of_another_site(
    locked: ManagerProcess, owner: httpx.Client, shared: str
) -> None:
    """The browser would send it along, whichever page asks."""
    kernel_id = shared.removeprefix("/session/")
    with client(locked) as browser:
        assert upgrade(browser, kernel_id) == 401
        browser.get("/api/me", params={"token": OWNER}, headers={"Accept": "text/html"})
        assert browser.get("/api/me").json()["identity"]["username"] == "owner"
        assert upgrade(browser, kernel_id, Origin="http://evil.example") == 403
        assert upgrade(browser, kernel_id, Origin="http://127.0.0.1:1") == 403
