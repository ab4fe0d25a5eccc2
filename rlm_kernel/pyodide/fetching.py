"""Completing the cache, for those who want it complete before anything starts."""

from __future__ import annotations

from rlm_kernel.progress import SILENT, Progress
from rlm_kernel.pyodide.installation import ensure_installation


def fetch(progress: Progress = SILENT, *, url: str | None = None) -> None:
    """Bring everything that a guest is started from into the cache, compiled.

    `url` is a directory or base URL to ask for the release first. What is there is verified and
    not fetched again. Raises FetchError that tells what failed at each source, or CacheError.
    """
    ensure_installation(progress, url=url)
