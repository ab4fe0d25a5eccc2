"""Compiled modules: made once, trusted only where nobody else could have changed them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

from rlm_kernel.errors import CacheError, CompilationError, FetchError, MalformedModule
from rlm_kernel.progress import SILENT
from rlm_kernel.pyodide import release
from rlm_kernel.pyodide.compilation import load_compiled, load_pyodide
from rlm_kernel.pyodide.cpu import levels
from rlm_kernel.pyodide.engine import make_engine

ANSWER = bytes(wasmtime.wat2wasm('(module (func (export "answer") (result i32) (i32.const 42)))'))

LOAD = """
import sys
from pathlib import Path
from rlm_kernel.pyodide.compilation import load_compiled
from rlm_kernel.pyodide.engine import make_engine
module, read_log = map(Path, sys.argv[1:])
def read():
    with read_log.open("a") as log:
        log.write("read\\n")
    return module.read_bytes()
load_compiled(make_engine(), "module", "0" * 64, read)
"""


class Reader:
    """Hands out a module and counts how often it was asked to."""

    def __init__(self, wasm: bytes = ANSWER) -> None:
        self.wasm = wasm
        self.times = 0

    def __call__(self) -> bytes:
        self.times += 1
        return self.wasm


def load(read: Callable[[], bytes], sha256: str = "0" * 64) -> wasmtime.Module:
    return load_compiled(make_engine(), "module", sha256, read)


def answer(module: wasmtime.Module, engine: wasmtime.Engine) -> object:
    store = wasmtime.Store(engine)
    function = wasmtime.Instance(store, module, []).exports(store)["answer"]
    assert isinstance(function, wasmtime.Func)
    return function(store)


def compiled(cache: Path) -> list[Path]:
    return sorted((cache / "compiled").glob("*.cwasm"))


def can_mount() -> bool:
    command = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.usefixtures("cache")
def test_a_module_is_compiled_once_and_runs() -> None:
    read = Reader()
    for _ in range(2):
        engine = make_engine()
        module = load_compiled(engine, "module", "0" * 64, read)
        assert answer(module, engine) == 42
    assert read.times == 1


@pytest.mark.usefixtures("cache")
def test_legacy_exceptions_are_translated_first() -> None:
    # try (result i32) throw 0 catch_all i32.const 42 end
    body = bytes([0, 0x06, 0x7F, 0x08, 0, 0x19, 0x41, 42, 0x0B, 0x0B])
    sections = {
        1: bytes([2, 0x60, 0, 1, 0x7F, 0x60, 0, 0]),
        3: bytes([1, 0]),
        13: bytes([1, 0, 1]),
        7: bytes([1, 6]) + b"answer" + bytes([0, 0]),
        10: bytes([1, len(body)]) + body,
    }
    wasm = b"\0asm\1\0\0\0"
    for number, content in sections.items():
        wasm += bytes([number, len(content)]) + content
    engine = make_engine()
    assert answer(load_compiled(engine, "legacy", "1" * 64, lambda: wasm), engine) == 42


@pytest.mark.parametrize(
    "damage",
    [
        lambda code: b"",
        lambda code: code[: len(code) // 2],
        lambda code: bytes(4096) + code[4096:],
        lambda code: code[:-100] + bytes([code[-100] ^ 1]) + code[-99:],
    ],
    ids=["empty", "cut", "no header", "one bit"],
)
def test_a_damaged_file_is_made_anew(cache: Path, damage: Callable[[bytes], bytes]) -> None:
    read = Reader()
    load(read)
    (path,) = compiled(cache)
    path.write_bytes(damage(path.read_bytes()))
    load(read)
    assert read.times == 2
    load(read)
    assert read.times == 2


def test_a_file_without_its_checksum_is_made_anew(cache: Path) -> None:
    read = Reader()
    load(read)
    compiled(cache)[0].with_suffix(".crc32").unlink()
    load(read)
    assert read.times == 2


def test_code_of_another_configuration_is_made_anew(cache: Path) -> None:
    read = Reader()
    load(read)
    (path,) = compiled(cache)
    foreign = wasmtime.Module(wasmtime.Engine(), ANSWER).serialize()
    path.write_bytes(foreign)
    path.with_suffix(".crc32").write_text(f"{len(foreign)} {zlib.crc32(foreign):08x}")
    load(read)
    assert read.times == 2


@pytest.mark.parametrize("name", ["", "compiled", "code"])
def test_code_that_others_could_have_written_is_refused(cache: Path, name: str) -> None:
    load(Reader())
    path = compiled(cache)[0] if name == "code" else cache / name
    path.chmod(0o777)
    with pytest.raises(CacheError, match="can be written by others"):
        load(Reader())


def test_code_of_another_user_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(Reader())
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr("rlm_kernel.cache.SUPERUSER", 4343)
    with pytest.raises(CacheError, match="not to user 4242"):
        load(Reader())


def test_code_for_a_lesser_cpu_is_loaded_where_there_is_none_for_this_one(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = levels()
    assert len(here) > 1 or platform.machine() != "x86_64", "a CPU from before 2009?"
    read = Reader()
    for module in ("compilation", "engine"):
        monkeypatch.setattr(f"rlm_kernel.pyodide.{module}.levels", lambda: here[-1:])
    load(read)
    for module in ("compilation", "engine"):
        monkeypatch.setattr(f"rlm_kernel.pyodide.{module}.levels", lambda: here)
    engine = make_engine()
    assert answer(load_compiled(engine, "module", "0" * 64, read), engine) == 42
    assert read.times == 1
    assert len(compiled(cache)) == 1


@pytest.mark.skipif(not can_mount(), reason="needs a user namespace to mount a file system in")
def test_a_complete_cache_may_be_read_only(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "module.wasm").write_bytes(ANSWER)
    log = tmp_path / "log"
    command = [sys.executable, "-c", LOAD, str(tmp_path / "module.wasm"), str(log)]
    subprocess.run(command, check=True, timeout=60)
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && "$@"'
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(cache)]
    subprocess.run([*unshare, *command], check=True, timeout=60)
    assert log.read_text() == "read\n"
    for path in compiled(cache):
        path.unlink()
    failed = subprocess.run([*unshare, *command], capture_output=True, text=True, timeout=60)
    assert "The cache cannot be written and lacks something" in failed.stderr


def test_bytes_that_are_no_module_are_refused(cache: Path) -> None:
    with pytest.raises(MalformedModule):
        load(Reader(b"no module"))
    assert compiled(cache) == []


def test_a_module_that_is_not_valid_is_refused_by_name(cache: Path) -> None:
    # A function that must return a number and does not.
    wasm = b"\0asm\1\0\0\0" + bytes([1, 5, 1, 0x60, 0, 1, 0x7F, 3, 2, 1, 0, 10, 4, 1, 2, 0, 0x0B])
    with pytest.raises(CompilationError, match="module cannot be compiled"):
        load(Reader(wasm))
    assert compiled(cache) == []


def test_a_few_compiled_forms_stay(cache: Path) -> None:
    for number in range(5):
        load(Reader(), f"{number:064}")
    assert len(compiled(cache)) == 3
    assert len(list((cache / "compiled").glob("*.crc32"))) == 3
    read = Reader()
    load(read, f"{4:064}")
    assert read.times == 0


def test_of_two_processes_one_compiles(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "module.wasm").write_bytes(ANSWER)
    log = tmp_path / "log"
    command = [sys.executable, "-c", LOAD, str(tmp_path / "module.wasm"), str(log)]
    with subprocess.Popen(command) as one, subprocess.Popen(command) as other:
        assert [one.wait(60), other.wait(60)] == [0, 0]
    assert log.read_text() == "read\n"
    assert len(compiled(cache)) == 1


@pytest.mark.skipif(not can_mount(), reason="needs a user namespace to mount a file system in")
def test_code_loads_from_a_file_system_without_execution(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "module.wasm").write_bytes(ANSWER)
    log = tmp_path / "log"
    command = [sys.executable, "-c", LOAD, str(tmp_path / "module.wasm"), str(log)]
    cache.mkdir()
    script = 'mount -t tmpfs -o noexec,mode=700 none "$0" && "$@" && "$@"'
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(cache)]
    subprocess.run([*unshare, *command], check=True, timeout=60)
    assert log.read_text() == "read\n"


def test_pyodide_is_compiled_from_the_pinned_bytes_and_nothing_else(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "CDN_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "pyodide.asm.wasm").write_bytes(ANSWER)
    with pytest.raises(FetchError, match=r"pyodide\.asm\.wasm has another size"):
        load_pyodide(make_engine(), SILENT, url=str(tmp_path))
    assert compiled(cache) == []


def test_pyodide_loads_from_the_users_cache() -> None:
    exports = {export.name for export in load_pyodide(make_engine()).exports}
    assert {"memory", "__main_argc_argv", "PyRun_SimpleString"} <= exports
