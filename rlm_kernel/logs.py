"""How log lines look: coloured text on a terminal, one JSON object per line elsewhere.

Modules log with the standard library (`logging.getLogger(__name__)`, fields in `extra=`); only
a command's start calls `configure`. Lines also have the fields of `rlm_kernel.log_fields`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor

from rlm_kernel import log_fields

_HIDDEN = "***"
_SECRET_FIELDS = frozenset({"token", "api_key", "authorization", "password", "key"})
_SECRET_TEXT = re.compile(
    r"""(?ix) ( \b bearer \s+ | \b authorization ["']? \s* [:=] \s* ["']? (?:\w+ \s+)?
              | \b (?:token|api_?key) = ) [^\s"'&,;]+ """
)


class Scrubber:
    """A structlog processor that no secret passes: neither a known one nor one that looks it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        return {
            name: _HIDDEN if name.lower() in _SECRET_FIELDS else self._clean(value)
            for name, value in event.items()
        }

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._clean_text(value)
        if isinstance(value, dict):
            return self("", "", value)
        if isinstance(value, list | tuple):
            return [self._clean(item) for item in value]
        return value

    def _clean_text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _SECRET_TEXT.sub(rf"\g<1>{_HIDDEN}", text)


def configure(
    level: str = "INFO", *, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Send everything of at least `level` to `stream` (standard error), replacing other handlers.

    None of `secrets` appears in a line, whatever logs it.
    """
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(Scrubber(secrets), colours=stream.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    # A line per request sent is noise beside the line per request answered.
    for chatty in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def _formatter(scrubber: Scrubber, *, colours: bool) -> logging.Formatter:
    shared: list[Processor] = [
        _with_fields,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            scrubber,
            _renderer(colours),
        ],
    )


def _with_fields(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {**log_fields.current(), **event}


def _renderer(terminal: bool) -> Processor:
    if terminal:
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer(default=str)
