"""A page that is opened with the token in its URL."""

from __future__ import annotations

from urllib.parse import urlencode

from tornado.httputil import HTTPServerRequest

from rlm_kernel.http.handler import Handler


class Login(Handler):
    """Gives the browser a cookie, and sends it to the same page without the token.

    Else the token would stay in the browser's address bar and history.
    """

    def get(self, *_path: str) -> None:
        name, value = self.services.door.cookie(self.visitor, self.request.headers)
        secure = self.request.protocol == "https"
        self.set_cookie(name, value, httponly=True, samesite="Strict", secure=secure)
        self.redirect(self._without_token())

    def _without_token(self) -> str:
        rest = {
            name: values for name, values in self.request.query_arguments.items() if name != "token"
        }
        # Two slashes at its beginning would make a host of the path.
        path = "/" + self.request.path.lstrip("/")
        return f"{path}?{urlencode(rest, doseq=True)}" if rest else path


def is_login(request: HTTPServerRequest) -> bool:
    """Whether a browser opens a page with the token in its URL."""
    wants_page = "text/html" in request.headers.get("Accept", "")
    return request.method == "GET" and wants_page and "token" in request.query_arguments
