"""The interface of the official library, `rlms`, to agents of this package.

It takes and gives what `rlm.RLM` of that library does, and does not need it.
"""

from __future__ import annotations

from rlm_kernel.agent.official.chat_completion import (
    ModelUsageSummary,
    RLMChatCompletion,
    UsageSummary,
)
from rlm_kernel.agent.official.rlm import RLM

__all__ = ["RLM", "ModelUsageSummary", "RLMChatCompletion", "UsageSummary"]
