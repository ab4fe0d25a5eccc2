"""Real packages with extension modules, preloaded and used in sessions."""

from __future__ import annotations

import logging
import os
import signal
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlm_kernel.progress import SILENT
from rlm_kernel.pyodide.packages.fetching import archive_path, fetch_archives
from rlm_kernel.pyodide.packages.locked import LockedWheel
from rlm_kernel.pyodide.packages.target import PLATFORM
from rlm_kernel.sandbox import Sandbox

PACKAGES = ("pydantic==2.14.3", "msgspec==0.22.0", "xxhash==4.1.0", "charset-normalizer==3.5.2")
"""Rust, C, C and mypyc."""

CONTOURPY = LockedWheel(
    "contourpy",
    "1.4.0",
    f"contourpy-1.4.0-cp314-cp314-{PLATFORM}.whl",
    "fa1b787362a3856e63dd2b89449f6c384d55ee1beb8f94f4bcc871b40f02462c",
)
"""C++. It needs numpy."""

EXTENSIONS = "/lib/python3.14/site-packages"


def without_needs(wheel: LockedWheel, folder: Path) -> Path:
    """A copy of a wheel that says that it needs nothing, so that nothing of that is looked for."""
    (fetched,) = fetch_archives([wheel], SILENT)
    path = folder / wheel.filename
    with zipfile.ZipFile(archive_path(fetched)) as original, zipfile.ZipFile(path, "w") as copy:
        for member in original.infolist():
            content = original.read(member)
            if member.filename.endswith(".dist-info/METADATA"):
                content = content.replace(b"\nRequires-Dist:", b"\nX-Requires-Dist:")
            copy.writestr(member, content)
    return path


@pytest.fixture(scope="module")
def messages() -> list[str]:
    """What is logged while the zygote starts."""
    return []


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return (*PACKAGES, str(without_needs(CONTOURPY, tmp_path_factory.mktemp("wheels"))))


@pytest.fixture(scope="module")
def preloaded(messages: list[str], packages: tuple[str, ...]) -> Iterator[Sandbox]:
    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    handler, log = Keep(), logging.getLogger("rlm_kernel.sandbox.zygote")
    log.addHandler(handler)
    try:
        with Sandbox(preload=packages) as box:
            yield box
    finally:
        log.removeHandler(handler)


@pytest.fixture
def box(preloaded: Sandbox, packages: tuple[str, ...]) -> Iterator[Sandbox]:
    """A fresh session of the same zygote."""
    with Sandbox(preload=packages) as box:
        yield box


def output(box: Sandbox, code: str) -> str:
    result = box.execute(code)
    assert result.error is None, result.error
    return result.stdout


def wait_for_standby(box: Sandbox) -> None:
    session = box._session
    assert session is not None
    while not session.has_standby:  # made when nothing else happens
        time.sleep(0.005)


@pytest.mark.usefixtures("preloaded")
def test_a_package_that_cannot_be_imported_is_told_with_its_reason(messages: list[str]) -> None:
    reason = "ModuleNotFoundError: No module named 'numpy'"
    assert [message for message in messages if message.startswith("preloading: ")] == [
        f"preloading: import contourpy failed: {reason}"
    ]


def test_the_packages_are_imported_already(box: Sandbox) -> None:
    names = ["pydantic", "pydantic_core", "msgspec", "xxhash", "charset_normalizer"]
    code = f"import sys; print([name for name in {names} if name not in sys.modules])"
    assert output(box, code) == "[]\n"


def test_pydantic_validates(box: Sandbox) -> None:
    code = """
from pydantic import BaseModel, Field, ValidationError
class Point(BaseModel):
    x: int = Field(gt=0)
    tags: list[str] = []
print(Point.model_validate_json('{"x": "3", "tags": ["a"]}'))
try:
    Point(x=-1)
except ValidationError as error:
    print(error.errors()[0]['type'])
"""
    assert output(box, code) == "x=3 tags=['a']\ngreater_than\n"


def test_structs_are_encoded_and_decoded(box: Sandbox) -> None:
    code = """
import msgspec
class User(msgspec.Struct):
    name: str
    groups: set[str] = set()
print(msgspec.msgpack.encode(User("alice", {"admin"})).hex())
print(msgspec.json.decode(b'{"name": "bob"}', type=User))
try:
    msgspec.json.decode(b'{"name": 1}', type=User)
except msgspec.ValidationError as error:
    print(error)
"""
    # MessagePack: a map of two, a string of four, one of five, one of six, an array of one.
    expected = b"\x82\xa4name\xa5alice\xa6groups\x91\xa5admin"
    assert output(box, code).splitlines() == [
        expected.hex(),
        "User(name='bob', groups=set())",
        "Expected `str`, got `int` - at `$.name`",
    ]


def test_digests_are_those_of_the_algorithm(box: Sandbox) -> None:
    # The first two are the algorithm's own published values for the empty input.
    code = "import xxhash; print(xxhash.xxh32(b'').hexdigest(), xxhash.xxh64(b'').hexdigest())"
    assert output(box, code) == "02cc5d05 ef46db3751d8e999\n"


def test_compiled_python_detects_an_encoding(box: Sandbox) -> None:
    code = """
import charset_normalizer.md
from charset_normalizer import from_bytes
print(from_bytes('Это обычный русский текст, в нём несколько слов.'.encode('cp1251')).best())
print(charset_normalizer.md.__file__.endswith('.so'))
"""
    assert output(box, code).splitlines() == [
        "Это обычный русский текст, в нём несколько слов.",
        "True",
    ]


LOAD_CONTOURPY = f"""
import glob, importlib.util
(path,) = glob.glob({EXTENSIONS!r} + '/contourpy/_contourpy*.so')
spec = importlib.util.spec_from_file_location('contourpy._contourpy', path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""


def test_a_library_that_was_not_imported_before_the_fork_is_loaded_in_the_session(
    box: Sandbox,
) -> None:
    code = LOAD_CONTOURPY + "print(module.ZInterp.Log, module.max_threads() >= 1)"
    assert output(box, code) == "ZInterp.Log True\n"


def test_ctypes_opens_an_installed_library_and_closes_it(box: Sandbox) -> None:
    code = """
import ctypes, glob, _ctypes, xxhash
library = ctypes.CDLL(xxhash._xxhash.__file__)
number = library.XXH_versionNumber()
parts = number // 10000, number // 100 % 100, number % 100
print('.'.join(map(str, parts)) == xxhash.XXHASH_VERSION)
library.XXH32.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32]
library.XXH32.restype = ctypes.c_uint32
print(library.XXH32(b'abc', 3, 0) == xxhash.xxh32_intdigest(b'abc'))
for where, name in (library, 'nothing'), (ctypes.pythonapi, '_dlopen_js'):
    try:
        getattr(where, name)
    except AttributeError as error:
        print(error)
print(_ctypes.dlclose(library._handle), library.XXH_versionNumber() == number)
"""
    assert output(box, code) == (
        "True\nTrue\nundefined symbol: nothing\nundefined symbol: _dlopen_js\nNone True\n"
    )


def test_a_cpp_exception_is_caught_by_the_library_that_throws_it(box: Sandbox) -> None:
    code = (
        LOAD_CONTOURPY
        + """
other = importlib.util.spec_from_file_location('other._contourpy', path)
try:
    other.loader.exec_module(importlib.util.module_from_spec(other))
except ImportError as error:
    print(error)
"""
    )
    # The text of a std::runtime_error: the library's types can be registered once only.
    assert "is already registered!" in output(box, code)


def test_the_missing_package_is_an_ordinary_import_error(box: Sandbox) -> None:
    result = box.execute("import contourpy")
    assert result.error is not None
    assert (result.error.ename, result.error.evalue) == (
        "ModuleNotFoundError",
        "No module named 'numpy'",
    )


def test_a_fork_keeps_what_is_loaded_and_goes_its_own_way(box: Sandbox) -> None:
    output(box, LOAD_CONTOURPY + "import xxhash; digest = xxhash.xxh64(b'a')")
    with box.fork() as copy:
        output(copy, "digest.update(b'b')")
        assert output(copy, "print(digest.hexdigest() == xxhash.xxh64(b'ab').hexdigest())")
        assert output(box, "print(digest.hexdigest() == xxhash.xxh64(b'a').hexdigest())") == (
            "True\n"
        )
        assert output(copy, "print(module.LineType.Separate)") == "LineType.Separate\n"


def test_the_copy_that_takes_over_after_a_kill_keeps_what_is_loaded(box: Sandbox) -> None:
    output(box, LOAD_CONTOURPY + "import msgspec; encoder = msgspec.json.Encoder()")
    wait_for_standby(box)
    os.kill(box.pid, signal.SIGKILL)
    assert box.execute("1").state == "rolled_back"
    assert output(box, "print(encoder.encode([1, 2]), module.LineType.Separate)") == (
        "b'[1,2]' LineType.Separate\n"
    )


@pytest.mark.parametrize(
    "change",
    [
        "shutil.copy(installed, path)",
        "shutil.copy(installed, path); os.chmod(path, 0o755)",
        "open(path, 'wb').write(b'\\0asm\\1\\0\\0\\0')",
        "path = installed; open(path, 'r+b').write(b'\\0')",
    ],
)
def test_bytes_of_the_guests_own_are_never_loaded(box: Sandbox, change: str) -> None:
    code = f"""
import glob, importlib.util, os, shutil
(installed,) = glob.glob({EXTENSIONS!r} + '/contourpy/_contourpy*.so')
path = '/tmp/mine.so'
{change}
spec = importlib.util.spec_from_file_location('contourpy._contourpy', path)
try:
    importlib.util.module_from_spec(spec)
except ImportError as error:
    print(str(error).removeprefix(path))
"""
    assert output(box, code) == ": only libraries that the host installed can be loaded\n"


def test_a_library_that_does_not_exist_is_told(box: Sandbox) -> None:
    code = """
import importlib.util
spec = importlib.util.spec_from_file_location('gone', '/tmp/gone.so')
try:
    importlib.util.module_from_spec(spec)
except ImportError as error:
    print(error)
"""
    assert output(box, code) == "/tmp/gone.so: cannot open shared object file: No such file\n"
