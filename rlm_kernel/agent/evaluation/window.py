"""How much a model can take in at once, which is what a plain prompt is cut to."""

from __future__ import annotations

from rlm_kernel.agent.models.model import known_window
from rlm_kernel.agent.starting import LOCAL
from rlm_kernel.errors import ConfigurationError


def window_for(model: str | None, given: int | None, *, plain: bool) -> int | None:
    """The window in tokens: as given, else that of the local model, else what litellm knows.

    None where no plain prompt depends on it. Raises ConfigurationError where it is not known.
    """
    if given is not None or not plain:
        return given
    if model in (None, LOCAL):
        from rlm_kernel.agent.models.local import LocalModelSettings

        return LocalModelSettings().n_ctx
    window = known_window(str(model))
    if window is None:
        raise ConfigurationError(f"how many tokens {model} can take in is not known: say --window")
    return window
