"""How a stock JupyterLab becomes one on the sessions of a manager."""

from __future__ import annotations

from pathlib import Path

from jupyterlab.commands import get_app_dir  # type: ignore[import-untyped]

from rlm_kernel.manager.lab.page import DEFAULTS
from rlm_kernel.manager.lab.policy import content_security_policy


def options(manager_url: str, directory: Path) -> list[str]:
    """Its command line. The token of the manager is not among it.

    There are no terminals and no extension manager, and what sessions display runs nothing in the
    browser: from there it could write files in `directory`.
    """
    policy = content_security_policy(Path(get_app_dir()) / "static" / "index.html")
    return [
        f"--ServerApp.root_dir={directory.absolute()}",
        "--ServerApp.kernel_manager_class=rlm_kernel.manager.gateway.SharedKernels",
        "--ServerApp.terminals_enabled=False",
        f"--ServerApp.tornado_settings={{'headers': {{'Content-Security-Policy': {policy!r}}}}}",
        f"--GatewayClient.url={manager_url}",
        f"--LabApp.app_settings_dir={DEFAULTS}",
        "--LabApp.extension_manager=readonly",
    ]
