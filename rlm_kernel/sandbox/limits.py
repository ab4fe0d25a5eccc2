"""What one session may take."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:  # a session's process has limits, but no use for pydantic
    from rlm_kernel.settings import SandboxSettings


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of every session of a zygote; each is the setting of the same name.

    `memory_bytes` bounds the guest's linear memory: beyond it Python raises MemoryError.
    `file_bytes` and `file_count` bound what the code's files hold and how many there are, folders
    and links included, `open_files` how many are open, and `path_bytes` the length of a path, its
    end included: beyond them it gets ENOSPC, EMFILE and ENAMETOOLONG.
    `output_bytes` bounds the text that a cell prints, on both streams together, and `display_bytes`
    what it displays, in bytes of JSON, where lists, objects and their items count for more once
    there are many: beyond them a notice is shown, and the cell goes on.
    `cell_timeout` is how many seconds a cell may run whose request names no time, and
    `cpu_seconds` how many of CPU time any cell may take; beyond them it is interrupted. None is no
    limit.
    `interrupt_grace` is how many seconds a cell that overran its time has to end after it was
    interrupted; then its process is killed.
    `standby` is whether a frozen copy of the session is kept between cells, so that a cell that is
    killed costs the cell and not the session; it takes some memory.
    """

    memory_bytes: int = 1 << 30
    file_bytes: int = 1 << 30
    file_count: int = 1 << 16
    open_files: int = 1024
    path_bytes: int = 4096
    output_bytes: int = 16 << 20
    display_bytes: int = 64 << 20
    cell_timeout: float | None = None
    cpu_seconds: float | None = 3600.0
    interrupt_grace: float = 2.0
    standby: bool = True

    @classmethod
    def of(cls, settings: SandboxSettings, **changes: Any) -> Self:
        """The limits that these settings make, but for some."""
        chosen = cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})
        return replace(chosen, **changes)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The limits that `to_json` wrote."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        return json.dumps(asdict(self))
