"""The Python files of the guest: its standard library, the pinned wheels, and the guest code.

A layer each, so that an edit of the guest code does not compile the others again. Each is named by
the hash of all that went into it.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rlm_kernel.cache import keep_newest, locked, private_directory
from rlm_kernel.progress import SILENT, Progress
from rlm_kernel.pyodide import release
from rlm_kernel.pyodide.image import Image, open_layer, write_layer
from rlm_kernel.pyodide.wheels import LOCK, ensure_wheels

STDLIB = "/lib/python314.zip"
"""Where the release's CPython looks for its standard library. It holds sources only: unpacked and
compiled, in a folder of this name, it starts many times faster."""

SITE_PACKAGES = "/lib/python3.14/site-packages"
GUEST_PACKAGE = Path(__file__).parents[1] / "guest"
COMPLETION, PRUNING = GUEST_PACKAGE / "completion.py", Path(__file__).with_name("pruning.py")
"""What decides, besides what makes them, which syntax trees there are."""

KEPT_LAYERS = 3

CompileTree = Callable[[Mapping[str, bytes]], Mapping[str, bytes]]
"""Compiles Python sources, absolute guest path -> content, with the guest's own CPython.

Returns absolute path -> content of the `.pyc` files (`__pycache__/NAME.cpython-314.pyc`, of the
unchecked hash-based kind, so that the guest compares them with nothing). A source that does not
compile is left out.
"""

ParseTrees = Callable[[Mapping[str, memoryview]], Mapping[str, bytes]]
"""The files that hold the syntax trees of sources of an image, absolute guest path -> content."""

_UNWANTED = re.compile(
    r"""(^|/)tests?/
      | /third_party/django-stubs/          # jedi's knowledge of packages that the guest lacks
      | /third_party/typeshed/stubs/
      | ^[^/]+\.data/(?!purelib/|platlib/)
      | \.dist-info/(?!METADATA$|entry_points\.txt$)
      | /$""",
    re.VERBOSE,
)
_DATA_PREFIX = re.compile(r"^[^/]+\.data/(purelib|platlib)/")


def guest_image(
    compile_tree: CompileTree,
    parse_trees: ParseTrees,
    stdlib: Path,
    progress: Progress = SILENT,
) -> Image:
    """The guest's Python files, with byte code, by absolute path, and jedi's syntax trees.

    `stdlib` is the release's archive of the standard library. Layers that the cache lacks are
    built, for which the two functions are called and the wheels are fetched. Raises FetchError or
    CacheError, and what the functions raise.
    """
    wheels_key = (LOCK.read_bytes(), Path(__file__).read_bytes())
    guest = guest_sources()
    guest_key = [part for path, content in guest.items() for part in (path.encode(), content)]

    def unpacked() -> dict[str, bytes]:
        return unpack(ensure_wheels(progress))

    def standard() -> dict[str, bytes]:
        return _archived(stdlib, STDLIB)

    library = Image(
        layer("stdlib", (stdlib.read_bytes(),), standard, compile_tree, progress),
        layer("wheels", wheels_key, unpacked, compile_tree, progress),
    )

    def parsed() -> Mapping[str, bytes]:
        progress.say("parsing the guest's standard library for completions, once")
        return parse_trees(library)

    programs = (COMPLETION, PRUNING, Path(__file__).with_name("syntax_trees.py"))
    trees_key = (*wheels_key, *(program.read_bytes() for program in programs))
    return Image(
        library,
        layer("guest", guest_key, lambda: guest, compile_tree, progress),
        layer("trees", trees_key, parsed, compile_tree, progress),
    )


def guest_sources() -> dict[str, bytes]:
    """The modules of `rlm_kernel.guest`, by the paths that they have in the guest."""
    package = f"{SITE_PACKAGES}/rlm_kernel/guest"
    return {
        f"{package}/{source.relative_to(GUEST_PACKAGE).as_posix()}": source.read_bytes()
        for source in sorted(GUEST_PACKAGE.rglob("*.py"))
    }


def unpack(wheels: Iterable[Path]) -> dict[str, bytes]:
    """The files of wheels by guest path, without what nobody needs at run time.

    Left out are tests, manuals, `RECORD`s and licences (which stay in the cached wheels), and
    jedi's stubs for packages that the guest does not have.
    """
    files: dict[str, bytes] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not _UNWANTED.search(name):
                    files[f"{SITE_PACKAGES}/{_DATA_PREFIX.sub('', name)}"] = archive.read(name)
    return files


def _archived(archive: Path, folder: str) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as file:
        names = [name for name in file.namelist() if not name.endswith("/")]
        return {f"{folder}/{name}": file.read(name) for name in names}


def layer(
    name: str,
    key: Iterable[bytes],
    make: Callable[[], Mapping[str, bytes]],
    compile_tree: CompileTree,
    progress: Progress,
) -> Mapping[str, memoryview]:
    """The layer `name` for this key, from the cache or else of the files that `make` gives, with
    their byte code. Raises CacheError, and what `make` and `compile_tree` raise."""
    directory = private_directory("images")
    path = directory / f"{name}-{_digest(key)}.layer"
    found = open_layer(path)
    if found is not None:
        return found
    with locked(directory / name, progress):
        found = open_layer(path)
        if found is None:
            files = make()
            sources = {path: text for path, text in files.items() if path.endswith(".py")}
            if sources:
                progress.say(f"compiling {len(sources)} Python files of the guest ({name}), once")
                files = {**files, **compile_tree(sources)}
            write_layer(path, files)
            keep_newest(directory.glob(f"{name}-*.layer"), KEPT_LAYERS)
            found = open_layer(path)
    assert found is not None, "it was written a moment ago, under the lock"
    return found


def _digest(key: Iterable[bytes]) -> str:
    # The byte code depends on the release's CPython and on how it is told to compile.
    interpreter = (release.WASM.sha256.encode(), release.STDLIB.sha256.encode())
    parts = [*interpreter, Path(__file__).with_name("bytecode.py").read_bytes(), *key]
    lengths = ",".join(str(len(part)) for part in parts)
    return hashlib.sha256(b"".join([lengths.encode(), *parts])).hexdigest()[:16]
