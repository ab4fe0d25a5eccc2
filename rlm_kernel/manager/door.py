"""Who may come in: the token, and the two tricks that web pages play on loopback servers."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from rlm_kernel.errors import Forbidden, Unauthorized

_SCHEMES = ("bearer", "token")


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Door:
    """Admits a request by its headers.

    With a token, whoever shows it may come in. Without one everybody on this machine may, and
    then the Host header must name this machine: a page of `evil.example` whose name suddenly
    resolves to 127.0.0.1 still says `evil.example` there.
    """

    token: str | None = field(default=None, repr=False)

    def admit(self, headers: Mapping[str, str], *, token_needed: bool = True) -> None:
        """Raise Forbidden or Unauthorized unless the request may come in."""
        self._refuse_foreign_names(headers.get("Host", ""))
        self._refuse_other_sites(headers)
        if token_needed:
            self._check_token(headers.get("Authorization", ""))

    def _refuse_foreign_names(self, host: str) -> None:
        if self.token is None and not is_loopback(_host_name(host)):
            raise Forbidden(f"host {host!r} is not this machine; set a token to serve other names")

    def _refuse_other_sites(self, headers: Mapping[str, str]) -> None:
        # Any page can make a browser send a POST without a content type that asks first.
        site = headers.get("Sec-Fetch-Site", "none")
        if site not in ("same-origin", "none"):
            raise Forbidden(f"a browser sent this from a {site} page")
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("Host"):
            raise Forbidden(f"a browser sent this from a page of {origin}")

    def _check_token(self, authorization: str) -> None:
        if self.token is None:
            return
        scheme, _, shown = authorization.partition(" ")
        if scheme.lower() not in _SCHEMES:
            raise Unauthorized("send the token: 'Authorization: Bearer TOKEN'")
        if not hmac.compare_digest(shown.strip().encode(), self.token.encode()):
            raise Unauthorized("this is not the token")


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
