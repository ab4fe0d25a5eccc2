"""Packages that the guest starts with: resolved, fetched, verified, compiled and kept."""

from __future__ import annotations

from rlm_kernel.pyodide.packages.preload import ensure_preloaded

__all__ = ["ensure_preloaded"]
