"""The kernelspecs: where Jupyter's own tools find the kernel."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.paths import SYSTEM_JUPYTER_PATH, jupyter_data_dir

from rlm_kernel.errors import ConfigurationError

NAME = "rlm-kernel"
MANAGER_NAME = "rlm-manager"
"""Of the kernels that are sessions of a manager."""

TEMPLATES = {NAME: "kernel.json", MANAGER_NAME: "manager.json"}


def template_directory() -> Path:
    """The folder of the kernelspec's template: inside of a wheel, or at the top of the source."""
    for candidate in (Path(__file__).with_suffix(""), Path(__file__).parents[2] / "kernelspec"):
        if (candidate / "kernel.json").is_file():
            return candidate
    raise ConfigurationError("the kernelspec's template is missing from this installation")


def install(
    name: str = NAME,
    *,
    user: bool = False,
    sys_prefix: bool = False,
    prefix: str | Path | None = None,
    detach: bool = False,
    preload: Sequence[str] = (),
) -> Path:
    """Installs a kernelspec, over one that is there, and gives its folder.

    It goes to the user's data folder, to this Python's own prefix, or to
    `PREFIX/share/jupyter/kernels`; with none of the three, to the system's. The kernel runs on the
    Python that runs this and starts with the packages `preload`; that of `MANAGER_NAME` on the
    manager that WASM_MANAGER_SERVICE_URL names where it is started, and with `detach` it outlives a
    shutdown. Raises ConfigurationError when the place cannot be written.
    """
    destination = location(name, user=user, sys_prefix=sys_prefix, prefix=prefix)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / name
        shutil.copytree(template_directory(), source, ignore=shutil.ignore_patterns("*.json"))
        template = template_directory() / TEMPLATES[name]
        (source / "kernel.json").write_text(_filled_in(template.read_text(), detach, preload))
        try:
            KernelSpecManager().install_kernel_spec(
                str(source), name, user=user, prefix=_prefix(sys_prefix, prefix)
            )
        except OSError as error:
            raise ConfigurationError(f"cannot install the kernelspec: {error}") from error
    return destination


def remove(
    name: str = NAME,
    *,
    user: bool = False,
    sys_prefix: bool = False,
    prefix: str | Path | None = None,
) -> Path:
    """Removes a kernelspec from where `install` would put it, and gives the folder it was in.

    Raises ConfigurationError when there is none or it cannot be removed.
    """
    destination = location(name, user=user, sys_prefix=sys_prefix, prefix=prefix)
    if not destination.is_dir():
        raise ConfigurationError(f"no kernelspec is installed at {destination}")
    try:
        shutil.rmtree(destination)
    except OSError as error:
        raise ConfigurationError(f"cannot remove the kernelspec: {error}") from error
    return destination


def location(
    name: str = NAME,
    *,
    user: bool = False,
    sys_prefix: bool = False,
    prefix: str | Path | None = None,
) -> Path:
    """The folder of an installed kernelspec. At most one of the three places may be named."""
    if sum((user, sys_prefix, prefix is not None)) > 1:
        raise ConfigurationError("choose one of user, sys_prefix and prefix")
    chosen = _prefix(sys_prefix, prefix)
    if user:
        base = Path(jupyter_data_dir())
    elif chosen is not None:
        base = Path(chosen) / "share" / "jupyter"
    else:
        base = Path(SYSTEM_JUPYTER_PATH[0])
    return base / "kernels" / name


def _prefix(sys_prefix: bool, prefix: str | Path | None) -> str | None:
    if sys_prefix:
        return sys.prefix
    return None if prefix is None else str(Path(prefix).expanduser().absolute())


def _filled_in(template: str, detach: bool, preload: Sequence[str]) -> str:
    spec = json.loads(template)
    spec["argv"] = [part.replace("{sys.executable}", sys.executable) for part in spec["argv"]]
    for package in preload:
        spec["argv"] += ["--preload", _from_anywhere(package)]
    if detach:
        spec["metadata"]["kernel_provisioner"]["config"] = {"detach": True}
    return json.dumps(spec, indent=2) + "\n"


def _from_anywhere(package: str) -> str:
    """The package as it is named from another working directory."""
    return str(Path(package).expanduser().absolute()) if package.endswith(".whl") else package
