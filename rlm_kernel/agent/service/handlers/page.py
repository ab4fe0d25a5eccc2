"""The page: ask, and watch."""

from __future__ import annotations

from pathlib import Path

from rlm_kernel import errors
from rlm_kernel.agent.service.handlers.base import Handler
from rlm_kernel.http.operation import Operation, by_method

FILES = Path(__file__).parents[1] / "page"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Page(Handler):
    """`/` and its files. They hold nothing secret: whoever has no token is asked for it there."""

    token_needed = False
    operations = by_method(
        GET=Operation("page", "A page to ask questions on", {200: {"text/html": None}})
    )

    def get(self, name: str = "index.html") -> None:
        path = FILES / name
        self.set_header("Content-Type", f"{TYPES[path.suffix]}; charset=utf-8")
        self.set_header("Content-Security-Policy", POLICY)
        self.finish(path.read_bytes())


class PageFile(Page):
    """`/page/NAME`"""

    operations = by_method(
        GET=Operation(
            "page_file",
            "What the page is made of",
            {200: dict.fromkeys(TYPES.values())},
            (errors.RouteNotFound,),
        )
    )

    def get(self, name: str = "") -> None:
        if name not in {path.name for path in FILES.iterdir()}:
            raise errors.RouteNotFound("the page has no such file")
        super().get(name)
