"""Trajectories as files: the suffix of the name says in which form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from rlm_kernel.agent.trajectory.jsonl import jsonl
from rlm_kernel.agent.trajectory.notebook import notebook
from rlm_kernel.agent.trajectory.opening import fits_within
from rlm_kernel.agent.trajectory.recorder import Recorder
from rlm_kernel.agent.trajectory.trajectory import Trajectory
from rlm_kernel.agent.trajectory.tree import tree
from rlm_kernel.errors import ConfigurationError

SUFFIXES = (".ipynb", ".jsonl", ".json", ".txt")


def check_path(path: Path) -> None:
    """Raises ConfigurationError where no trajectory can be saved under that name."""
    if path.suffix not in SUFFIXES:
        raise ConfigurationError(f"{path}: save as one of {', '.join(SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise ConfigurationError(f"{path}: there is no such folder")


def save(trajectory: Trajectory, path: Path) -> list[Path]:
    """Write the trajectory: a notebook, the official library's JSON lines, a tree as JSON or text.

    The file is there whole, or not at all. A context too large for a notebook goes into a file
    beside it. Returns what was written. Raises ConfigurationError.
    """
    check_path(path)
    match path.suffix:
        case ".ipynb":
            return _save_notebook(trajectory, path)
        case ".jsonl":
            _write(path, (line.encode("utf-8", "replace") for line in jsonl(trajectory)))
        case ".json":
            _write(path, [trajectory.model_dump_json(indent=1).encode()])
        case _:
            _write(path, [tree(trajectory).encode("utf-8", "replace")])
    return [path]


@contextmanager
def saved_at_the_end(
    recorder: Recorder, paths: Sequence[Path], say: Callable[[str], None]
) -> Iterator[None]:
    """Save what was recorded under each of the names, whatever ends the block, and say so.

    Raises ConfigurationError where a file cannot be written; where the block has raised, that is
    only said.
    """
    try:
        yield
    except BaseException:
        try:
            _save_all(recorder, paths, say)
        except ConfigurationError as error:
            say(str(error))
        raise
    _save_all(recorder, paths, say)


def load(path: Path) -> Trajectory:
    """The trajectory that was saved as .json. Raises ConfigurationError where it is none."""
    try:
        return Trajectory.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is no trajectory: {error}") from error


def _save_all(recorder: Recorder, paths: Sequence[Path], say: Callable[[str], None]) -> None:
    trajectory = recorder.trajectory() if paths else None
    if trajectory is not None:
        for path in paths:
            names = " and ".join(str(each) for each in save(trajectory, path))
            say(f"saved: {names}")


def _save_notebook(trajectory: Trajectory, path: Path) -> list[Path]:
    context, written = trajectory.root.context, [path]
    name = None
    if context.packed is not None and not fits_within(context):
        beside = path.with_suffix(".context")
        _write(beside, [context.data() or b""])
        written.append(beside)
        name = beside.name
    made = notebook(trajectory, context_file=name)
    _write(path, [json.dumps(made, indent=1, ensure_ascii=False).encode("utf-8", "replace"), b"\n"])
    return written


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    try:
        with NamedTemporaryFile(
            dir=path.absolute().parent, prefix=f".{path.name}.", delete=False
        ) as file:
            scratch = Path(file.name)
            try:
                file.writelines(pieces)
                file.flush()
                scratch.replace(path)
            except BaseException:
                scratch.unlink()
                raise
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
