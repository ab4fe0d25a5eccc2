"""Where JupyterLab keeps what its users save."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rlm_kernel.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class LabFolder:
    """A folder for notebooks, and one each for settings and workspaces, below `root`."""

    root: Path

    @classmethod
    def prepare(cls, root: Path | None) -> LabFolder:
        """Makes the folder, in the user's data folder if `root` is None.

        Raises ConfigurationError where it cannot be written, or JupyterLab is not installed.
        """
        if find_spec("jupyterlab") is None:
            raise ConfigurationError("JupyterLab is not installed: pip install 'rlm-kernel[lab]'")
        folder = cls((root or _data_home() / "rlm-kernel" / "lab").expanduser().absolute())
        try:
            for path in (folder.notebooks, folder.settings, folder.workspaces):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"JupyterLab cannot use {folder.root}: {error}") from error
        return folder

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def settings(self) -> Path:
        return self.root / "settings"

    @property
    def workspaces(self) -> Path:
        return self.root / "workspaces"


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
