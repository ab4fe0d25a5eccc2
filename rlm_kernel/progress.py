"""How long work tells a person how far it is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

Advance = Callable[[int], None]
"""Adds so many bytes to what is done; negative where some have to be done again."""

SECONDS_BETWEEN_LINES = 5.0


class Progress(Protocol):
    """Where long work reports to. Called from one thread at a time."""

    def say(self, line: str) -> None:
        """Tell one fact, without a line end."""

    def step(self, what: str, total: int, done: int = 0) -> AbstractContextManager[Advance]:
        """Follow a step of `total` bytes, of which `done` were there before it began."""


class Silence:
    """Reports to nobody."""

    def say(self, line: str) -> None:
        pass

    @contextmanager
    def step(self, what: str, total: int, done: int = 0) -> Iterator[Advance]:
        yield lambda count: None


SILENT = Silence()


class Bar:
    """A tqdm bar per step, for a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, line: str) -> None:
        from tqdm import tqdm

        tqdm.write(line, file=self._stream)

    @contextmanager
    def step(self, what: str, total: int, done: int = 0) -> Iterator[Advance]:
        from tqdm import tqdm

        with tqdm(
            desc=what,
            total=total,
            initial=done,
            unit="B",
            unit_scale=True,
            unit_divisor=1000,
            file=self._stream,
            dynamic_ncols=True,
        ) as bar:

            def advance(count: int) -> None:
                bar.update(count)

            yield advance


class Lines:
    """Plain lines: the start and the end of a step, and one every few seconds between."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock

    def say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

    @contextmanager
    def step(self, what: str, total: int, done: int = 0) -> Iterator[Advance]:
        said_at = self._clock()
        self._tell(what, done, total)

        def advance(count: int) -> None:
            nonlocal done, said_at
            done += count
            if self._clock() - said_at >= SECONDS_BETWEEN_LINES:
                said_at = self._clock()
                self._tell(what, done, total)

        yield advance
        self._tell(what, done, total)

    def _tell(self, what: str, done: int, total: int) -> None:
        share = f"{done / total:.0%}" if total else "100%"
        self.say(f"{what}: {share} of {total / 1e6:.1f} MB")


def progress_for(stream: TextIO | None = None) -> Progress:
    """The progress that suits `stream`, which is standard error unless given."""
    stream = sys.stderr if stream is None else stream
    return Bar(stream) if stream.isatty() else Lines(stream)
