"""Secrets: read from files into the environment, and kept out of what others read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from rlm_kernel import logs
from rlm_kernel.errors import ConfigurationError

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)$")
_SHORTEST = 8


def read_secrets(folder: Path) -> None:
    """Set a variable of the environment for each file of a folder, if it is not set already.

    The file's name is the variable's: a Kubernetes secret is mounted so. Other names are left
    alone. Raises ConfigurationError for what cannot be read.
    """
    try:
        files = [path for path in folder.iterdir() if _VARIABLE.fullmatch(path.name)]
        for path in files:
            os.environ.setdefault(path.name, path.read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"RLM_KERNEL_SECRETS_DIR: {folder}: {error}") from error


def secrets_of_environment() -> list[str]:
    """The values of variables that are secret by their names; what is short could be any word."""
    found = (value for name, value in os.environ.items() if _SECRET.search(name))
    return [value for value in found if len(value) >= _SHORTEST]


class Discretion:
    """Strikes secrets out of what is told of an error."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._scrub = logs.Scrubber(secrets)

    def text(self, text: str) -> str:
        return str(self._scrub(None, "", {"text": text})["text"])
