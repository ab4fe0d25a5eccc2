"""`rlm-kernel fetch`: everything that starting a session needs, ahead of time."""

from __future__ import annotations

import argparse

from rlm_kernel.cache import cache_dir
from rlm_kernel.cli.options import add_settings, read_settings
from rlm_kernel.settings import SandboxSettings


def configure(parser: argparse.ArgumentParser) -> None:
    add_settings(parser, SandboxSettings, "pyodide_url", "preload")


def run(arguments: argparse.Namespace) -> int:
    from rlm_kernel.progress import progress_for
    from rlm_kernel.pyodide.installation import ensure_installation

    settings = read_settings(SandboxSettings, arguments)
    progress = progress_for()
    ensure_installation(progress, url=settings.pyodide_url, preload=settings.preload)
    progress.say(f"everything is in {cache_dir()}")
    return 0
