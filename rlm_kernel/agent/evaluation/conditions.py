"""Under what conditions items are answered: whatever, when it changes, makes results others."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from rlm_kernel.agent.evaluation.item import VERSION
from rlm_kernel.agent.setting import RunOptions
from rlm_kernel.errors import ConfigurationError

_UNSAFE = re.compile(r"[^a-z0-9.]+")


@dataclass(frozen=True, slots=True)
class Conditions:
    """The models by name, the seed of the items, and what an answer may take.

    `window` is what the model can take in, in tokens, prompt and reply together; None where
    nothing depends on it. `options` holds the budget that each item has by itself.
    """

    model: str
    recursive_model: str
    seed: int = 0
    window: int | None = None
    options: RunOptions = field(default_factory=RunOptions)

    def __post_init__(self) -> None:
        if self.window is not None and self.window < 1:
            raise ConfigurationError("a window has at least one token")

    def as_dict(self) -> dict[str, Any]:
        """Plain data, the version of the generated sets included."""
        return {"items": VERSION, **asdict(self)}

    @property
    def file_stem(self) -> str:
        """A name for files that other conditions do not share."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        name = _UNSAFE.sub("-", self.model.rpartition("/")[2].lower()).strip("-.")
        return f"{name[:40] or 'model'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
