"""What a user asks to have preloaded: requirements as pip reads them, and wheels of their own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from rlm_kernel.errors import PackageError
from rlm_kernel.pyodide.packages.wheel import LocalWheel

Request = Requirement | LocalWheel


def is_path(text: str) -> bool:
    """Whether a request names a wheel file and not a package."""
    return text.endswith(".whl") or (text.startswith((".", "/", "~")) and "@" not in text)


def read_requests(texts: Iterable[str]) -> tuple[Request, ...]:
    """Raises PackageError that says which request cannot work."""
    return tuple([_read(text) for text in texts])


def _read(text: str) -> Request:
    if is_path(text):
        return LocalWheel.read(Path(text).expanduser().absolute())
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise PackageError(f"{text!r} is neither a package nor a wheel: {reason}") from error
