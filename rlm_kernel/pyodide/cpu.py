"""Levels of CPUs. Code is compiled for a level: it runs on every CPU of it, not on one kind alone.

So a cache can be made on one machine and used on others, as in a container image. What a CPU has
beyond its level (AVX-512, say) the compiler would not use for Pyodide: its code came out the same.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import wasmtime

_V2 = {
    "pni": "has_sse3",
    "ssse3": "has_ssse3",
    "cx16": "has_cmpxchg16b",
    "sse4_1": "has_sse41",
    "sse4_2": "has_sse42",
    "popcnt": "has_popcnt",
}
_V3 = _V2 | {
    "avx": "has_avx",
    "avx2": "has_avx2",
    "bmi1": "has_bmi1",
    "bmi2": "has_bmi2",
    "fma": "has_fma",
    "abm": "has_lzcnt",
}
"""The kernel's names of features, and Cranelift's; source: the x86-64 psABI's levels of machines,
as far as the compiler knows their features."""

_X86_64 = {"x86-64-v3": _V3, "x86-64-v2": _V2, "x86-64": dict[str, str]()}
_TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}


@dataclass(frozen=True, slots=True)
class Level:
    """What compiled code may use. `triple` is None where it is meant for this very machine."""

    name: str
    triple: str | None = None
    features: tuple[str, ...] = ()

    def aim(self, config: wasmtime.Config) -> None:
        """Has an engine of this configuration compile for the level."""
        if self.triple is not None:
            config.target = self.triple
            for feature in self.features:
                config.cranelift_flag_enable(feature)


def levels(machine: str = "", listed: str = "") -> tuple[Level, ...]:
    """Those whose code runs here, the highest first.

    `machine` and `listed` stand in for this machine's kind and its `/proc/cpuinfo`.
    """
    machine = machine or platform.machine()
    features = _features(listed or Path("/proc/cpuinfo").read_text())
    triple = _TRIPLES.get(machine)
    if machine == "x86_64":
        return tuple(
            Level(name, triple, tuple(sorted(needed.values())))
            for name, needed in _X86_64.items()
            if needed.keys() <= features
        )
    if machine == "aarch64":
        return (Level("armv8-a", triple),)
    return (Level(" ".join([machine, *sorted(features)])),)


def _features(listed: str) -> set[str]:
    # The kernel's list of CPU features: `flags` on x86-64, `Features` on arm64.
    lines = [line for line in listed.splitlines() if line.lower().startswith(("flags", "features"))]
    return {feature for line in lines for feature in line.partition(":")[2].split()}
