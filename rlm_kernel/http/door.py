"""Who may come in: the tokens, and the tricks that web pages play on servers of others."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tornado.httputil import parse_cookie

from rlm_kernel.errors import Forbidden, Unauthorized
from rlm_kernel.http.visitor import Role, Visitor

_SCHEMES = ("bearer", "token")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fresh_passes() -> dict[Role, str]:
    return {"owner": secrets.token_urlsafe(32), "attached": secrets.token_urlsafe(32)}


@dataclass(frozen=True, slots=True)
class Door:
    """Admits a request by its headers, and says who it is from.

    With a token, whoever shows it may come in as the owner, and whoever shows the attach token,
    where there is one, as somebody attached. It is shown in the Authorization header, in the URL
    (`?token=`), where clients for WebSockets and people have no other place for it, or as the
    cookie that a page gets for it; the first of them that is there counts. The cookie holds no
    token, and is worth nothing once this door is gone.

    Without a token everybody on this machine is the owner, and then the Host header must name this
    machine: a page of `evil.example` whose name suddenly resolves to 127.0.0.1 still says
    `evil.example` there. Pages of other sites stay out in any case.
    """

    token: str | None = field(default=None, repr=False)
    attach_token: str | None = field(default=None, repr=False)
    _passes: dict[Role, str] = field(default_factory=_fresh_passes, init=False, repr=False)

    def admit(
        self, headers: Mapping[str, str], *, shown: bytes = b"", token_needed: bool = True
    ) -> Visitor:
        """The visitor; `shown` is the token in the URL. Raises Forbidden or Unauthorized."""
        self._refuse_foreign_names(headers.get("Host", ""))
        self._refuse_other_sites(headers)
        if self.token is None:
            return Visitor("owner")
        if not token_needed:
            return Visitor("anyone")
        return self._recognise(headers, shown)

    def cookie(self, visitor: Visitor, headers: Mapping[str, str]) -> tuple[str, str]:
        """Name and value of the cookie by which a browser is recognised from now on."""
        return _cookie_name(headers), self._passes[visitor.role]

    def _refuse_foreign_names(self, host: str) -> None:
        if self.token is None and not is_loopback(_host_name(host)):
            raise Forbidden(f"host {host!r} is not this machine; set a token to serve other names")

    def _refuse_other_sites(self, headers: Mapping[str, str]) -> None:
        # Any page can make a browser send a POST without a content type that asks first, and open
        # a WebSocket to anywhere; both come with the cookies of where they go.
        site = headers.get("Sec-Fetch-Site", "none")
        if site not in ("same-origin", "none"):
            raise Forbidden(f"a browser sent this from a {site} page")
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("Host"):
            raise Forbidden(f"a browser sent this from a page of {origin}")

    def _recognise(self, headers: Mapping[str, str], shown: bytes) -> Visitor:
        authorization, cookie = headers.get("Authorization"), _cookie(headers)
        if authorization is not None:
            scheme, _, given = authorization.partition(" ")
            if scheme.lower() in _SCHEMES:
                return _whose(given.strip().encode(), self._tokens())
        elif shown:
            return _whose(shown, self._tokens())
        elif cookie:
            return _whose(cookie.encode(), iter(self._passes.items()))
        raise Unauthorized("send the token: 'Authorization: Bearer TOKEN'")

    def _tokens(self) -> Iterator[tuple[Role, str]]:
        if self.token is not None:
            yield "owner", self.token
        if self.attach_token is not None:
            yield "attached", self.attach_token


def _whose(given: bytes, secrets_of: Iterator[tuple[Role, str]]) -> Visitor:
    """All are compared, each in constant time: how long it takes tells nothing."""
    fits = [role for role, secret in secrets_of if hmac.compare_digest(given, secret.encode())]
    if not fits:
        raise Unauthorized("this is not the token")
    return Visitor(fits[0])


def _cookie(headers: Mapping[str, str]) -> str:
    return parse_cookie(headers.get("Cookie", "")).get(_cookie_name(headers), "")


def _cookie_name(headers: Mapping[str, str]) -> str:
    """One for each host and port, since a browser sends cookies to all ports of a host."""
    return "rlm-kernel-" + _NOT_IN_NAMES.sub("-", headers.get("Host", "").lower())[:100]


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
