"""As much of a Kubernetes API server, and of the controller of claims, as claims need."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rlm_kernel.agent.managers.cluster import Cluster

BASE = "/apis/extensions.agents.x-k8s.io/v1beta1/namespaces/rlm"
POOL = "managers"
Status = dict[str, Any]


def bound(address: str) -> Status:
    """The status of a claim whose pod is ready at this address."""
    return {
        "conditions": [condition("Ready", "True", "DependenciesReady")],
        "sandbox": {"name": "managers-x7k2p", "podIPs": [address]},
    }


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    moment = "2026-11-29T12:00:00Z"
    found = {"type": kind, "status": status, "reason": reason, "message": message}
    return {**found, "lastTransitionTime": moment}


class FakeKubernetes:
    """`controller` gives the status of a claim each time one is looked at, by its name.

    `claims` are those that exist, `made` and `deleted` the names that there ever were. `refusal` is
    the status and message with which every request is answered, if set.
    """

    def __init__(self, folder: Path, controller: Callable[[str], Status]) -> None:
        self.controller = controller
        self.claims: dict[str, dict[str, Any]] = {}
        self.made: list[str] = []
        self.deleted: list[str] = []
        self.refusal: tuple[int, str] | None = None
        self.account = folder
        (folder / "token").write_text("a-bound-token\n")
        (folder / "namespace").write_text("rlm")
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def cluster(self) -> Cluster:
        return Cluster(f"http://127.0.0.1:{self._server.server_port}", self.account)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, Any]:
        """Status and object that answer a request."""
        if token != f"Bearer {(self.account / 'token').read_text().strip()}":
            return 401, _fault("Unauthorized")
        if self.refusal is not None:
            return self.refusal[0], _fault(self.refusal[1])
        if (method, path) == ("GET", f"{BASE}/sandboxwarmpools/{POOL}"):
            return 200, {"kind": "SandboxWarmPool", "metadata": {"name": POOL}}
        if (method, path) == ("POST", f"{BASE}/sandboxclaims"):
            return self._create(json.loads(body))
        name = path.removeprefix(f"{BASE}/sandboxclaims/")
        if name not in self.claims:
            return 404, _fault(f"{path} not found")
        if method == "DELETE":
            self.deleted.append(name)
            return 200, self.claims.pop(name)
        return 200, {**self.claims[name], "status": self.controller(name)}

    def _create(self, claim: dict[str, Any]) -> tuple[int, Any]:
        name = claim["metadata"]["name"]
        self.made.append(name)
        self.claims[name] = claim
        return 201, claim

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                token = self.headers.get("Authorization", "")
                with fake._lock:
                    status, answer = fake.answer(self.command, self.path, token, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = _do  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                """Says nothing."""

        return Handler


def _fault(message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}
