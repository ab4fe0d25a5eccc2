"""The kernelspec: where Jupyter's own tools find the kernel."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.paths import SYSTEM_JUPYTER_PATH, jupyter_data_dir

from rlm_kernel.errors import ConfigurationError

NAME = "rlm-kernel"


def template_directory() -> Path:
    """The folder of the kernelspec's template: inside of a wheel, or at the top of the source."""
    for candidate in (Path(__file__).with_suffix(""), Path(__file__).parents[2] / "kernelspec"):
        if (candidate / "kernel.json").is_file():
            return candidate
    raise ConfigurationError("the kernelspec's template is missing from this installation")


def install(
    *, user: bool = False, sys_prefix: bool = False, prefix: str | Path | None = None
) -> Path:
    """Installs the kernelspec, over one that is there, and gives its folder.

    It goes to the user's data folder, to this Python's own prefix, or to
    `PREFIX/share/jupyter/kernels`; with none of the three, to the system's. The kernel runs on the
    Python that runs this. Raises ConfigurationError when the place cannot be written.
    """
    destination = location(user=user, sys_prefix=sys_prefix, prefix=prefix)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / NAME
        shutil.copytree(template_directory(), source)
        _fill_in(source / "kernel.json")
        try:
            KernelSpecManager().install_kernel_spec(
                str(source), NAME, user=user, prefix=_prefix(sys_prefix, prefix)
            )
        except OSError as error:
            raise ConfigurationError(f"cannot install the kernelspec: {error}") from error
    return destination


def remove(
    *, user: bool = False, sys_prefix: bool = False, prefix: str | Path | None = None
) -> Path:
    """Removes the kernelspec from where `install` would put it, and gives the folder it was in.

    Raises ConfigurationError when there is none or it cannot be removed.
    """
    destination = location(user=user, sys_prefix=sys_prefix, prefix=prefix)
    if not destination.is_dir():
        raise ConfigurationError(f"no kernelspec is installed at {destination}")
    try:
        shutil.rmtree(destination)
    except OSError as error:
        raise ConfigurationError(f"cannot remove the kernelspec: {error}") from error
    return destination


def location(
    *, user: bool = False, sys_prefix: bool = False, prefix: str | Path | None = None
) -> Path:
    """The folder of the installed kernelspec. At most one of the three places may be named."""
    if sum((user, sys_prefix, prefix is not None)) > 1:
        raise ConfigurationError("choose one of user, sys_prefix and prefix")
    chosen = _prefix(sys_prefix, prefix)
    if user:
        base = Path(jupyter_data_dir())
    elif chosen is not None:
        base = Path(chosen) / "share" / "jupyter"
    else:
        base = Path(SYSTEM_JUPYTER_PATH[0])
    return base / "kernels" / NAME


def _prefix(sys_prefix: bool, prefix: str | Path | None) -> str | None:
    if sys_prefix:
        return sys.prefix
    return None if prefix is None else str(Path(prefix).expanduser().absolute())


def _fill_in(file: Path) -> None:
    spec = json.loads(file.read_text())
    spec["argv"] = [part.replace("{sys.executable}", sys.executable) for part in spec["argv"]]
    file.write_text(json.dumps(spec, indent=2) + "\n")
