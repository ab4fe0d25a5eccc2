"""The guest as pip sees it: which wheels fit, and what environment markers say."""

from __future__ import annotations

PLATFORM = "pyemscripten_2026_0_wasm32"
"""The release's ABI; source: `abi_version` in its `pyodide-lock.json`."""

_PYTHON = (3, 14)
_ABI3_SINCE = 2

PIP_OPTIONS = (
    f"--platform={PLATFORM}",
    "--python-version=3.14",
    "--implementation=cp",
    "--abi=cp314",
    "--abi=abi3",
    "--abi=none",
)

MARKERS = {
    "implementation_name": "cpython",
    "implementation_version": "3.14.2",
    "os_name": "posix",
    "platform_machine": "wasm32",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Emscripten",
    "platform_version": "",
    "python_full_version": "3.14.2",
    "python_version": "3.14",
    "sys_platform": "emscripten",
}
"""What PEP 508 calls the environment. pip itself would ask the Python that it runs on."""


def fits(python: str, abi: str, platform: str) -> bool:
    """Whether wheels with this tag run in the guest."""
    major, minor = _PYTHON
    if platform not in (PLATFORM, "any"):
        return False
    if abi == "none":
        generic = {f"py{major}", *(f"py{major}{n}" for n in range(minor + 1))}
        return python in generic or python == f"cp{major}{minor}"
    if platform == "any":
        return False
    if abi == "abi3":
        return python in {f"cp{major}{n}" for n in range(_ABI3_SINCE, minor + 1)}
    return (python, abi) == (f"cp{major}{minor}",) * 2
