"""Secrets that are files: a Kubernetes secret is mounted so."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rlm_kernel.errors import ConfigurationError

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)


def read_secrets(folder: Path) -> None:
    """Set a variable of the environment for each file of a folder, if it is not set already.

    The file's name is the variable's; names that no variable has are left alone. Raises
    ConfigurationError for what cannot be read.
    """
    try:
        files = [path for path in folder.iterdir() if _VARIABLE.fullmatch(path.name)]
        for path in files:
            if not os.environ.get(path.name):
                os.environ[path.name] = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"RLM_KERNEL_SECRETS_DIR: {folder}: {error}") from error
