"""The token that opens the counts and nothing else."""

from __future__ import annotations

import hmac

from tornado.httputil import HTTPServerRequest


def shows_scrape_token(request: HTTPServerRequest, expected: str | None) -> bool:
    """Whether a request carries it, where there is one."""
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    return (
        expected is not None
        and scheme.lower() == "bearer"
        and hmac.compare_digest(shown.strip().encode(), expected.encode())
    )
