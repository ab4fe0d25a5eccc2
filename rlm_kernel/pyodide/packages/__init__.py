"""Packages that the guest starts with: resolved, fetched, verified, compiled and kept."""

from __future__ import annotations

from rlm_kernel.pyodide.packages.preload import Preloaded, ensure_preloaded

__all__ = ["Preloaded", "ensure_preloaded"]
