"""The API of the Kubernetes cluster that we run in."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from rlm_kernel.errors import ClaimFailed

URL = "https://kubernetes.default.svc"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds the name of its namespace, its token, and whom to trust; see "Accessing the
Kubernetes API from a Pod" in the documentation of Kubernetes."""

REQUEST_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API server at `url`, asked in the name of the service account in a folder.

    Its files are read anew for each request: a token is replaced long before it ends.
    """

    url: str = URL
    account: Path = ACCOUNT

    @property
    def namespace(self) -> str:
        """The account's own. Raises ClaimFailed where there is no account."""
        return self._read("namespace")

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes | None:
        """The answer to a request, None where there is no such object.

        Raises ClaimFailed with what the server says.
        """
        headers = {"Authorization": f"Bearer {self._read('token')}"}
        try:
            async with httpx.AsyncClient(
                base_url=self.url, timeout=REQUEST_SECONDS, trust_env=False, verify=self._trust()
            ) as http:
                response = await http.request(method, path, json=body, headers=headers)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ClaimFailed(f"no answer from the cluster at {self.url}: {reason}") from error
        if response.status_code == httpx.codes.NOT_FOUND and method != "POST":
            return None
        if not response.is_success:
            raise ClaimFailed(f"the cluster refuses it: {_message(response)}")
        return response.content

    def _trust(self) -> ssl.SSLContext | bool:
        if not self.url.startswith("https:"):
            return False
        authority = self.account / "ca.crt"
        return httpx.create_ssl_context(str(authority) if authority.exists() else True)

    def _read(self, name: str) -> str:
        try:
            return (self.account / name).read_text().strip()
        except OSError as error:
            raise ClaimFailed(
                f"pods are claimed with a service account: {error.strerror}: {error.filename}"
            ) from error


def _message(response: httpx.Response) -> str:
    """What is said in a `Status`, the form that the API server has for errors."""
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code}"
