"""From what a user asks for to files, libraries and names to import: all that a guest needs."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import wasmtime

from rlm_kernel.cache import locked, private_directory, workspace
from rlm_kernel.emscripten import Library
from rlm_kernel.errors import BadWheel, FetchError, IntegrityError
from rlm_kernel.progress import SILENT, Progress
from rlm_kernel.pyodide.layers import CompileTree, layer, unpack
from rlm_kernel.pyodide.packages import index, libraries
from rlm_kernel.pyodide.packages.fetching import archive_path, fetch_archives
from rlm_kernel.pyodide.packages.locked import Lock, LockedWheel
from rlm_kernel.pyodide.packages.names import import_names
from rlm_kernel.pyodide.packages.release_lock import ReleaseLock
from rlm_kernel.pyodide.packages.requests import Request, read_requests
from rlm_kernel.pyodide.packages.resolution import Sources, resolve
from rlm_kernel.pyodide.packages.target import PLATFORM
from rlm_kernel.pyodide.packages.wheel import LocalWheel, canonical
from rlm_kernel.pyodide.preloaded import Preloaded
from rlm_kernel.pyodide.release import CDN_URL, ensure_package_list
from rlm_kernel.pyodide.wheels import LOCK as GUEST_LOCK


def ensure_preloaded(
    texts: Sequence[str],
    engine: wasmtime.Engine,
    compile_tree: CompileTree,
    progress: Progress = SILENT,
    *,
    url: str | None = None,
) -> Preloaded:
    """The packages that these requests name, with what they need, from the cache or else fetched.

    The first time pip resolves them; from then on the same bytes are used and nothing is asked.
    `url` is where the Pyodide release is had, for packages of its own. Raises PackageError,
    FetchError or CacheError.
    """
    requests = read_requests(texts)
    lock = _ensure_lock(requests, url, progress)
    image: dict[str, memoryview] = {}
    roots: list[str] = []
    loaded: list[Library] = []
    for wheel in lock.wheels:
        files = _layer(wheel, compile_tree, progress)
        image |= files
        roots += import_names(files) if wheel.name in lock.roots else []
        loaded += _libraries(wheel, files, engine, progress)
    return Preloaded(image, tuple(loaded), tuple(roots), _missing(requests, lock))


def _ensure_lock(requests: Sequence[Request], url: str | None, progress: Progress) -> Lock:
    """The lock of these requests, with all of its archives in the cache."""
    path = _path(requests)
    lock = Lock.read(path)
    if lock is None:
        with locked(path, progress):
            lock = Lock.read(path)
            if lock is None:
                lock = _resolve(requests, url, path, progress)
                lock.write(path)
    fetch_archives(lock.wheels, progress)
    return lock


def _missing(requests: Sequence[Request], lock: Lock) -> tuple[str, ...]:
    if not lock.missing:
        return ()
    return (*lock.missing, f"remove {_path(requests)} to have what is missing looked for again")


def _path(requests: Sequence[Request]) -> Path:
    """Where the lock of these requests is."""
    return private_directory("packages") / f"{_key(requests)}.json"


def _key(requests: Sequence[Request]) -> str:
    texts = sorted(r.sha256 if isinstance(r, LocalWheel) else str(r) for r in requests)
    facts = [PLATFORM, GUEST_LOCK.read_text(), *texts]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _resolve(requests: Sequence[Request], url: str | None, path: Path, progress: Progress) -> Lock:
    progress.say(f"resolving {', '.join(map(_shown, requests))} for the sandbox")
    with workspace(path) as scratch:
        rounds = iter(range(1000))
        sources = Sources(
            _present(),
            lambda lines: index.choose(lines, scratch / f"pip-{next(rounds)}"),
            _release(url, progress),
        )
        return _obtained(resolve(requests, sources), progress)


def _shown(request: Request) -> str:
    return request.path.name if isinstance(request, LocalWheel) else str(request)


def _present() -> dict[str, str]:
    """The guest's own packages, name to version."""
    lines = [line.partition(" ")[0] for line in GUEST_LOCK.read_text().splitlines()]
    pairs = [line.split("==") for line in lines if "==" in line]
    return {canonical(name): version for name, version in pairs}


def _release(url: str | None, progress: Progress) -> Callable[[str], index.Candidate | None]:
    """Looks into the release's own list of packages, which is fetched when it is first needed."""
    lists: list[ReleaseLock] = []

    def find(name: str) -> index.Candidate | None:
        if not lists:
            path = ensure_package_list(progress, url=url)
            lists.append(ReleaseLock.read(path, url or CDN_URL))
        return lists[0].find(name)

    return find


def _obtained(lock: Lock, progress: Progress) -> Lock:
    """The lock of what could be fetched: without it, packages that need more may still serve."""
    wheels = list(fetch_archives([w for w in lock.wheels if not w.origin], progress))
    missing = list(lock.missing)
    for wheel in [w for w in lock.wheels if w.origin]:
        try:
            wheels += fetch_archives([wheel], progress)
        except FetchError as error:
            if wheel.name in lock.roots or isinstance(error, IntegrityError):
                raise
            missing.append(f"{wheel.name} {wheel.version}: {error}")
    return replace(lock, wheels=tuple(wheels), missing=tuple(missing))


def _layer(
    wheel: LockedWheel, compile_tree: CompileTree, progress: Progress
) -> Mapping[str, memoryview]:
    def files() -> dict[str, bytes]:
        return libraries.with_headers(_unpacked(wheel))

    name = f"wheel.{wheel.name.replace('-', '_')}"
    key = (wheel.sha256.encode(), wheel.folder.encode(), Path(libraries.__file__).read_bytes())
    return layer(name, key, files, compile_tree, progress)


def _unpacked(wheel: LockedWheel) -> dict[str, bytes]:
    path = archive_path(wheel)
    try:
        if not wheel.folder:
            return unpack([path])
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            return {f"{wheel.folder}/{name}": archive.read(name) for name in names}
    except zipfile.BadZipFile as error:
        raise BadWheel(f"{wheel.filename} is damaged: {error}") from error


def _libraries(
    wheel: LockedWheel,
    files: Mapping[str, memoryview],
    engine: wasmtime.Engine,
    progress: Progress,
) -> list[Library]:
    return [
        libraries.load_library(
            engine, path, content, lambda wanted: _unpacked(wheel)[wanted], progress
        )
        for path, content in files.items()
        if libraries.is_library(path, content)
    ]
