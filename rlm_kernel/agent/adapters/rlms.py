"""Sessions as the environment of the official library, `rlms`.

The library chooses environments by name and lets nobody add one, so that its choice is replaced
while it is installed here:

    from rlm import RLM
    from rlm_kernel.agent.adapters.rlms import install

    with install():
        RLM(backend="openai", backend_kwargs={...}, environment="docker").completion(text)
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rlm_kernel.agent.factory import SidecarREPLFactory, create_sidecar_repl_factory
from rlm_kernel.errors import ConfigurationError

_installed: list[Installation] = []
_lock = threading.Lock()
_original: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Installation:
    """Sessions in the place of the environment called `name`, until `uninstall` (or `with` ends).

    `cell_timeout_s` is how long one piece of code may take, its sub-calls included; `output_limit`
    how many characters of its output are kept.
    """

    sessions: SidecarREPLFactory
    name: str
    cell_timeout_s: float
    output_limit: int

    def environment(self, **options: Any) -> Any:
        """What the library makes for a run; `options` are the ones that it gives."""
        from rlm_kernel.agent.adapters.rlms_environment import SessionEnvironment

        return SessionEnvironment(
            self.sessions,
            cell_timeout_s=self.cell_timeout_s,
            output_limit=self.output_limit,
            **options,
        )

    def uninstall(self) -> None:
        """Give the name back to whoever had it before. Idempotent; runs that began go on."""
        global _original
        library: Any = importlib.import_module("rlm.core.rlm")
        with _lock:
            if self in _installed:
                _installed.remove(self)
            if not _installed and library.get_environment is _get_environment:
                library.get_environment, _original = _original, None

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *_: object) -> None:
        self.uninstall()


def install(
    url: str | None = None,
    *,
    name: str = "docker",
    sessions: SidecarREPLFactory | None = None,
    cell_timeout_s: float = 600.0,
    output_limit: int = 1_000_000,
) -> Installation:
    """From now on the library's environment `name` is a session of the manager at `url`.

    Without a URL it is WASM_MANAGER_SERVICE_URL's; `sessions` takes the place of both. The
    library offers `rlm_query`, persistence and compaction only to environments with names that it
    knows: to `docker`, and to `local`, which is also that of code that names none. Any other name
    works without these. The latest installation of a name counts.

    Raises ConfigurationError, also where the library is not installed.
    """
    if importlib.util.find_spec("rlm") is None:
        raise ConfigurationError("rlms is not installed: pip install 'rlm-kernel[rlms]'")
    installation = Installation(
        sessions or create_sidecar_repl_factory(url), name, cell_timeout_s, output_limit
    )
    _take_over(importlib.import_module("rlm.core.rlm"))
    with _lock:
        _installed.append(installation)
    return installation


def _take_over(library: Any) -> None:
    global _original
    with _lock:
        if _original is None:
            _original, library.get_environment = library.get_environment, _get_environment


def _get_environment(environment: str, environment_kwargs: dict[str, Any]) -> Any:
    """The library's choice of an environment, with ours first."""
    with _lock:
        ours = [each for each in _installed if each.name == environment]
        original = _original
    if ours:
        return ours[-1].environment(**environment_kwargs)
    assert original is not None
    return original(environment, environment_kwargs)
