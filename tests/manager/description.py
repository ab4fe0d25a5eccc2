"""The description of the HTTP interface, held against real answers."""

from __future__ import annotations

import copy
import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

OURS = ("/session", "/health", "/ready", "/metrics", "/openapi.json")
_PATTERNS = (
    ("{session_id}", "[^/]+"),
    ("{run_id}", "[^/.]+"),
    ("{form}", "[a-z]+"),
    ("{name}", r"[a-z]+\.[a-z]+"),
    ("{folder}/", "(?:|.*/)"),
    ("{path}", ".+"),
)


class Description:
    """`seen` holds each operation and status that was checked, as (method, path, status).

    `ours` are how the paths begin that it must tell of.
    """

    def __init__(self, document: dict[str, Any], ours: tuple[str, ...] = OURS) -> None:
        self.document = document
        self._ours = ours
        self.seen: set[tuple[str, str, int]] = set()
        self._schemas = copy.deepcopy(document["components"]["schemas"])
        for schema in self._schemas.values():
            if "properties" in schema:
                schema["additionalProperties"] = False  # what it does not tell of is not there

    def check(self, answer: httpx.Response) -> None:
        """Raises AssertionError where an answer is not as it is described."""
        path = answer.request.url.raw_path.partition(b"?")[0].decode()
        template = self._template(path)
        if template is None:
            assert answer.status_code in (401, 403, 404) or not path.startswith(self._ours), path
            return
        operation = self.document["paths"][template].get(answer.request.method.lower())
        if operation is None:
            assert answer.status_code == 405, (answer.request.method, path, answer.status_code)
            return
        self.seen.add((answer.request.method, template, answer.status_code))
        described = operation["responses"].get(str(answer.status_code))
        assert described, (answer.request.method, template, answer.status_code)
        self._check_content(answer, described.get("content", {}))

    def _template(self, path: str) -> str | None:
        for template in self.document["paths"]:
            pattern = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
            for name, part in _PATTERNS:
                pattern = pattern.replace(name, part)
            if re.fullmatch(pattern, path, re.DOTALL):
                return str(template)
        return None

    def _check_content(self, answer: httpx.Response, content: dict[str, Any]) -> None:
        media, _, _ = answer.headers.get("Content-Type", "").partition(";")
        if not content:
            assert not media, media
            assert answer.read() == b""
            return
        assert media in content, (media, list(content))
        if media == "application/json" and answer.request.method != "HEAD":
            answer.read()
            self.validate(answer.json(), content[media]["schema"])

    def validate(self, value: Any, schema: dict[str, Any]) -> None:
        """Raises where a value is not of the schema, formats included."""
        whole = {**schema, "components": {"schemas": self._schemas}}
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)
