"""What litellm raises for a call that fails, as errors of ours."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from rlm_kernel.errors import ModelError, ModelUnavailable, PromptTooLong

_LATER = frozenset({408, 409, 425, 429})
_TOO_LONG = "ContextWindowExceededError"
_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "UnsupportedProtocol"})


def model_error(error: Exception, text: str) -> ModelError:
    """The error to raise for `error` of litellm's; `text` is what it says, without secrets.

    litellm gives every failure a status, those without an answer from the provider too; only
    those with one have headers.
    """
    status = getattr(error, "status_code", None)
    broke_off = isinstance(status, int) and not _headers(error) and not _was_never_sent(error)
    if type(error).__name__ == _TOO_LONG:
        return PromptTooLong(text)
    if isinstance(status, int) and (status in _LATER or status >= 500):
        return ModelUnavailable(text, _retry_after(error), may_have_cost=broke_off)
    return ModelError(text)


def _headers(error: Exception) -> Any:
    return getattr(getattr(error, "response", None), "headers", None) or {}


def _was_never_sent(error: Exception) -> bool:
    return any(type(cause).__name__ in _NEVER_SENT for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _retry_after(error: Exception) -> float | None:
    """Seconds, from a header that has either them or a date."""
    value = str(_headers(error).get("retry-after", ""))
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return seconds if 0 <= seconds < math.inf else None


def _seconds_until(date: str) -> float:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except ValueError:
        return math.nan
