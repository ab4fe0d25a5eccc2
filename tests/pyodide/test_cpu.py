"""Levels of CPUs: which code runs where, and that an engine makes no other."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import wasmtime

from rlm_kernel.pyodide.cpu import Level, levels
from rlm_kernel.pyodide.engine import make_engine

V2 = "flags\t\t: fpu sse sse2 pni ssse3 cx16 sse4_1 sse4_2 popcnt"
V3 = f"{V2} avx avx2 bmi1 bmi2 fma abm"
V4 = f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"

COMPILE = """
import sys
import wasmtime
from rlm_kernel.pyodide.engine import make_engine
module = wasmtime.Module(make_engine(), '(module (func (export "f") (result i32) (i32.const 42)))')
sys.stdout.buffer.write(module.serialize())
"""

on_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="of another kind of machine")


def names(machine: str, listed: str) -> list[str]:
    return [level.name for level in levels(machine, listed)]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("flags : fpu sse2", ["x86-64"]),
        (V2, ["x86-64-v2", "x86-64"]),
        (V3, ["x86-64-v3", "x86-64-v2", "x86-64"]),
        (V4, ["x86-64-v3", "x86-64-v2", "x86-64"]),
        (V3.replace(" fma", ""), ["x86-64-v2", "x86-64"]),
    ],
)
def test_an_x86_has_the_levels_whose_features_it_has_all(listed: str, expected: list[str]) -> None:
    assert names("x86_64", f"model name : one\n{listed}\n\n{listed}\n") == expected


def test_all_of_arm64_is_one_level() -> None:
    assert names("aarch64", "Features : fp asimd") == names("aarch64", "Features : fp atomics")


def test_machines_of_other_kinds_are_told_apart_by_all_of_their_features() -> None:
    assert names("riscv64", "Features : a b") == names("riscv64", "Features : b a")
    assert names("riscv64", "Features : a b") != names("riscv64", "Features : a")
    assert levels("riscv64", "Features : a b")[0].triple is None


@on_x86
@pytest.mark.parametrize("level", levels("x86_64", V3), ids=lambda level: level.name)
def test_code_says_that_it_needs_what_its_level_has_and_no_more(level: Level) -> None:
    config = wasmtime.Config()
    level.aim(config)
    code = wasmtime.Module(wasmtime.Engine(config), "(module (func))").serialize()
    for feature in {f for each in levels("x86_64", V3) for f in each.features}:
        assert needs(code, feature) is (feature in level.features)
    assert not needs(code, "has_avx512f")


def needs(code: bytearray, feature: str) -> bool:
    """Whether the flag is set in the engine's list of them: its name, then a true boolean."""
    name = feature.encode()
    mark = bytes([len(name)]) + name + b"\x02"
    place = code.index(mark) + len(mark)
    return code[place] == 1


def test_code_of_another_process_runs_here() -> None:
    code = subprocess.run(
        [sys.executable, "-c", COMPILE], capture_output=True, check=True, timeout=60
    ).stdout
    engine = make_engine()
    store = wasmtime.Store(engine)
    instance = wasmtime.Instance(store, wasmtime.Module.deserialize(engine, code), [])
    function = instance.exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    assert function(store) == 42
