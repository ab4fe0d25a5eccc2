"""The GGUF file that a service is to serve, which may not be there yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rlm_kernel.agent.models.local import find_model


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The file `path`, or the one of the folder `path`: its only one, or where given NAME.gguf."""

    path: Path
    name: str | None = None

    def find(self) -> Path:
        """Raises ModelMissing where it may still come, else ConfigurationError."""
        named = self.name is not None and self.path.is_dir()
        return find_model(self.path / f"{self.name}.gguf" if named else self.path)
