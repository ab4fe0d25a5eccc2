"""What a guest has of the packages that were preloaded for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rlm_kernel.emscripten.linking import Library


@dataclass(frozen=True, slots=True)
class Preloaded:
    """Files by guest path, the libraries among them, the modules to import, and what is missing
    of what the packages need."""

    image: Mapping[str, memoryview] = field(default_factory=dict)
    libraries: tuple[Library, ...] = ()
    imports: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
