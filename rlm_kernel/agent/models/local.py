"""A local model: a GGUF file, served on loopback by a child process that ends with its owner."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import secrets
import selectors
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rlm_kernel.agent.models.model import LiteLLMModel
from rlm_kernel.errors import ConfigurationError, ModelError, ModelMissing

_PROGRAM = Path(__file__).with_name("local_process.py")
_GGUF_MAGIC = b"GGUF"
_LATER_PART = re.compile(r"-(?!0*1-)\d+-of-\d+\.gguf$")
_LOGGED_ERROR = re.compile(r"^[\d.]+ E (.+)$", re.MULTILINE)
_LOG_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class LocalModelSettings:
    """How to serve a local model.

    `n_ctx` is the window in tokens, prompt and reply together. `threads` defaults to the cores
    this process may use. A model must be loaded within `ready_timeout_s`, and each of its replies
    be complete within `reply_timeout_s`.
    """

    n_ctx: int = 8192
    threads: int | None = None
    ready_timeout_s: float = 120.0
    reply_timeout_s: float = 600.0


class LocalModelServer:
    """A model served on a free port of 127.0.0.1 to whoever knows its key; a context manager.

    The child process ends with `close()`, and also when this process ends in any other way.
    """

    def __init__(
        self, path: Path, settings: LocalModelSettings, process: subprocess.Popen[bytes]
    ) -> None:
        self._path = path
        self._settings = settings
        self._process = process
        self._api_key = secrets.token_urlsafe()
        self._url = ""

    @classmethod
    def start(cls, path: Path, settings: LocalModelSettings | None = None) -> Self:
        """Load the model of `path` (see `find_model`) and return when it can answer: seconds.

        Raises ConfigurationError where the extra `local` is not installed or `path` is no model,
        ModelError where the model cannot be loaded.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise ConfigurationError(
                "local models need the extra `local`: pip install 'rlm-kernel[local]'"
            )
        settings = settings or LocalModelSettings()
        path = find_model(path)
        with tempfile.TemporaryFile() as log:
            server = cls(path, settings, _launch(log))
            try:
                server._load(log)
            except BaseException:
                server.close()
                raise
        return server

    @property
    def base_url(self) -> str:
        """The API base for OpenAI clients; they need `api_key` too."""
        return f"{self._url}/v1"

    @property
    def api_key(self) -> str:
        """The key that requests must carry."""
        return self._api_key

    @property
    def pid(self) -> int:
        """The child process."""
        return self._process.pid

    def model(self) -> LiteLLMModel:
        """The served model, at temperature 0. Its calls cost nothing."""
        return LiteLLMModel(
            f"local/{self._path.stem}",
            provider="openai",
            api_base=self.base_url,
            api_key=self._api_key,
            temperature=0.0,
            timeout_s=self._settings.reply_timeout_s,
            free=True,
        )

    def wait(self) -> None:
        """Return when the child process has ended."""
        self._process.wait()

    def close(self) -> None:
        """End the child process, whatever it is doing. May be called again."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _load(self, log: IO[bytes]) -> None:
        orders = {
            "path": str(self._path),
            "n_ctx": self._settings.n_ctx,
            "threads": self._settings.threads or len(os.sched_getaffinity(0)),
            "api_key": self._api_key,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(orders).encode() + b"\n")
        self._process.stdin.flush()
        report = self._first_line()
        if not report:
            raise ModelError(f"{self._path.name} cannot be served: {_end_of(log)}")
        self._url = json.loads(report)["url"]

    def _first_line(self) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self._settings.ready_timeout_s):
                seconds = self._settings.ready_timeout_s
                raise ModelError(f"{self._path.name} was not loaded within {seconds:g} s")
        return self._process.stdout.readline()


def find_model(path: Path) -> Path:
    """The GGUF file that `path` names: itself, or the only one in the directory it is.

    Of a model in several parts this is the first. Raises ModelMissing where there is none yet,
    ConfigurationError where there is what cannot be served.
    """
    if path.is_dir():
        found = sorted(each for each in path.glob("*.gguf") if not _LATER_PART.search(each.name))
        if not found:
            raise ModelMissing(f"no GGUF file is in {path}")
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            raise ConfigurationError(f"name one GGUF file: {path} has {names}")
        return find_model(found[0])
    try:
        with path.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except FileNotFoundError as error:
        raise ModelMissing(f"no model: {path}: {error.strerror}") from error
    except OSError as error:
        raise ConfigurationError(f"no model: {path}: {error.strerror}") from error
    if not magic:
        raise ModelMissing(f"no model: {path} is empty")
    if magic != _GGUF_MAGIC:
        raise ConfigurationError(f"no model: {path} is not a GGUF file")
    return path


def _launch(log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,  # a Ctrl-C is for us, and we end it when we are done
    )


def _end_of(log: IO[bytes]) -> str:
    """The errors in llama.cpp's log, or else its end."""
    log.seek(0)
    text = log.read().decode(errors="replace").strip()
    errors = "; ".join(_LOGGED_ERROR.findall(text))
    return (errors or text)[-_LOG_SHOWN:] or "it ended without a word"
