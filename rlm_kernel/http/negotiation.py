"""What a client would like to have."""

from __future__ import annotations


def accepts(header: str, media_type: str) -> bool:
    """Whether an `Accept` header names this media type itself; what it refuses has `q=0`."""
    for choice in header.split(","):
        name, *parameters = (part.strip().lower() for part in choice.split(";"))
        if name == media_type:
            return not any(_is_zero(parameter) for parameter in parameters)
    return False


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in ("", "0.", "0")
