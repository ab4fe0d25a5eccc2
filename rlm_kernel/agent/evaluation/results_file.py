"""Results on disk: a line of JSON each, as they come, so that a run that was killed can go on."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from rlm_kernel.agent.evaluation.conditions import Conditions
from rlm_kernel.agent.evaluation.result import Key, Result
from rlm_kernel.errors import ConfigurationError


class ResultsFile:
    """The results under certain conditions; a context manager that keeps other writers out.

    The first line tells the conditions. Results are only ever added; of several with one key the
    last one counts. A last line that a kill cut short is taken away.
    """

    def __init__(self, path: Path, conditions: Conditions) -> None:
        """Open it, or begin it. Raises ConfigurationError where it is in use or damaged."""
        self.results: dict[Key, Result] = {}
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._lock()
            self._load()
            if not self._file.tell():
                self._write(json.dumps({"type": "conditions", **conditions.as_dict()}))
        except BaseException:
            self.close()
            raise

    def add(self, result: Result) -> None:
        """Keep a result; it is on the disk when this returns."""
        self._write(result.model_dump_json())
        self.results[result.key] = result

    def close(self) -> None:
        """Let others write. Idempotent."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(f"another evaluation is writing {self.path}") from None

    def _load(self) -> None:
        self._file.seek(0)
        whole = 0
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            self.results.update(self._read(number, line))
        self._file.truncate(whole)
        self._file.seek(whole)

    def _read(self, number: int, line: bytes) -> Iterator[tuple[Key, Result]]:
        if number == 1:
            return
        try:
            result = Result.model_validate_json(line)
        except ValidationError as error:
            raise ConfigurationError(f"{self.path}, line {number}, is no result") from error
        yield result.key, result

    def _write(self, line: str) -> None:
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
