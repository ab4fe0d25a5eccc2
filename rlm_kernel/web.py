"""Pinned files by HTTP, each taken up again where an earlier attempt ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path

import httpx

from rlm_kernel.download import Partial, PinnedFile
from rlm_kernel.errors import FetchError
from rlm_kernel.progress import Advance, Progress

CONNECT_TIMEOUT_S = 3.0
STALL_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class WebSource:
    """The files under a base URL, by their names."""

    base_url: str

    @property
    def name(self) -> str:
        return self.base_url

    def deliver(self, files: Sequence[PinnedFile], directory: Path, progress: Progress) -> None:
        timeout = httpx.Timeout(STALL_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        with httpx.Client(timeout=timeout, follow_redirects=True) as client:
            for pinned in files:
                url = f"{self.base_url.rstrip('/')}/{pinned.name}"
                partial = Partial(pinned, directory)
                partial.complete(bind(_Transfer(client, url, partial).run, progress))


@dataclass(frozen=True, slots=True)
class _Transfer:
    client: httpx.Client
    url: str
    partial: Partial

    def run(self, progress: Progress) -> None:
        pinned = self.partial.pinned
        self.partial.keep(pinned.size)
        with progress.step(pinned.name, pinned.size, self.partial.size) as advance:
            while (before := self.partial.size) < pinned.size:
                try:
                    self._receive(advance)
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    # A line that broke is taken up again as long as each attempt brings something.
                    if self.partial.size <= before:
                        raise FetchError(str(error) or type(error).__name__) from error

    def _receive(self, advance: Advance) -> None:
        # A compressed body could not be taken up at a byte offset.
        headers = {"Accept-Encoding": "identity"}
        if self.partial.size:
            headers["Range"] = f"bytes={self.partial.size}-"
        with self.client.stream("GET", self.url, headers=headers) as response:
            self._place(response, advance)
            # As it arrives: what is held back to fill a chunk would be lost with the line.
            for chunk in response.iter_bytes():
                self.partial.write(chunk)
                advance(len(chunk))
        if self.partial.size < self.partial.pinned.size:
            raise FetchError(f"{self.url} ended after {self.partial.size} bytes")

    def _place(self, response: httpx.Response, advance: Advance) -> None:
        """Make sure that the body belongs at the end of what is there."""
        start = self.partial.size
        if response.status_code == 200:
            advance(-start)
            self.partial.keep(0)
        elif response.status_code != 206:
            raise FetchError(f"HTTP {response.status_code} {response.reason_phrase}".rstrip())
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise FetchError("the server sent another range than was asked for")


def receive(url: str, target: Path, progress: Progress) -> None:
    """Write what `url` answers to a file. What it is, the caller verifies. Raises FetchError."""
    timeout = httpx.Timeout(STALL_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    try:
        with (
            httpx.stream("GET", url, timeout=timeout, follow_redirects=True) as response,
            target.open("wb") as file,
        ):
            total = int(response.raise_for_status().headers.get("Content-Length", 0))
            with progress.step(target.name, total) as advance:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    advance(len(chunk))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchError(f"{url} cannot be fetched: {error or type(error).__name__}") from error
