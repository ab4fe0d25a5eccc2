"""What a page of JupyterLab may load and run in the browser.

Its cells show what code of a sandbox, often written by a language model, has displayed. Left alone
a browser would run scripts in there as the visitor, who may come into every session, and load
images from anywhere, which is a way out for data.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from pathlib import Path

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def content_security_policy(template: Path) -> str:
    """The header's value for pages made of JupyterLab's `template`.

    Scripts come from the server itself, and inline only if they are the template's own. JupyterLab
    compiles the schemas of its settings, which is eval.
    """
    scripts = _INLINE_SCRIPT.findall(template.read_text(encoding="utf-8"))
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src 'self' 'unsafe-eval'", *map(_source, scripts)]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        ]
    )


def _source(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{b64encode(digest).decode()}'"
