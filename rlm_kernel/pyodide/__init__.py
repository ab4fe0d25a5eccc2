"""The Pyodide release: fetched and verified, compiled and cached, and the guest's packages."""

from __future__ import annotations

from rlm_kernel.pyodide.compilation import load_compiled, load_pyodide
from rlm_kernel.pyodide.engine import make_engine
from rlm_kernel.pyodide.fetching import fetch
from rlm_kernel.pyodide.image import Image
from rlm_kernel.pyodide.layers import CompileTree, guest_image
from rlm_kernel.pyodide.release import Release, ensure_release
from rlm_kernel.pyodide.wheels import ensure_wheels

__all__ = [
    "CompileTree",
    "Image",
    "Release",
    "ensure_release",
    "ensure_wheels",
    "fetch",
    "guest_image",
    "load_compiled",
    "load_pyodide",
    "make_engine",
]
