"""What one session may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of every session of a zygote.

    `memory_bytes` bounds the guest's linear memory: beyond it Python raises MemoryError.
    `interrupt_grace` is how many seconds a cell that overran its time has to end after it was
    interrupted; then its process is killed.
    `standby` is whether a frozen copy of the session is kept between cells, so that a cell that is
    killed costs the cell and not the session; it takes some memory.
    """

    memory_bytes: int = 1 << 30
    interrupt_grace: float = 2.0
    standby: bool = True
