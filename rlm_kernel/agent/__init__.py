"""The agent: recursive language models whose code runs in a manager's sessions.

The names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlm_kernel.agent.command import run
    from rlm_kernel.agent.events import (
        AnswerGiven,
        CodeFinished,
        CodeStarted,
        Event,
        HostCallAnswered,
        LedgerUpdated,
        ModelReplied,
        OutputWritten,
        RichOutput,
        RunEvent,
        RunFailed,
        RunStarted,
        SessionOpened,
        SubCallFinished,
        SubCallStarted,
        ToolCallFinished,
        ToolCallStarted,
        TurnStarted,
    )
    from rlm_kernel.agent.factory import (
        SidecarREPLEnv,
        SidecarREPLFactory,
        create_sidecar_repl_factory,
    )
    from rlm_kernel.agent.ledger.budget import Budget
    from rlm_kernel.agent.ledger.costs import CostSummary, ModelCosts
    from rlm_kernel.agent.ledger.usage import Usage
    from rlm_kernel.agent.models.model import Completion, LiteLLMModel, Message, Model
    from rlm_kernel.agent.models.terms import Terms
    from rlm_kernel.agent.official import (
        RLM,
        ModelUsageSummary,
        RLMChatCompletion,
        UsageSummary,
    )
    from rlm_kernel.agent.repl import RLM_REPL
    from rlm_kernel.agent.result import RunResult
    from rlm_kernel.agent.setting import RunOptions
    from rlm_kernel.agent.shown import ShownText

__all__ = [
    "RLM",
    "RLM_REPL",
    "AnswerGiven",
    "Budget",
    "CodeFinished",
    "CodeStarted",
    "Completion",
    "CostSummary",
    "Event",
    "HostCallAnswered",
    "LedgerUpdated",
    "LiteLLMModel",
    "Message",
    "Model",
    "ModelCosts",
    "ModelReplied",
    "ModelUsageSummary",
    "OutputWritten",
    "RLMChatCompletion",
    "RichOutput",
    "RunEvent",
    "RunFailed",
    "RunOptions",
    "RunResult",
    "RunStarted",
    "SessionOpened",
    "ShownText",
    "SidecarREPLEnv",
    "SidecarREPLFactory",
    "SubCallFinished",
    "SubCallStarted",
    "Terms",
    "ToolCallFinished",
    "ToolCallStarted",
    "TurnStarted",
    "Usage",
    "UsageSummary",
    "create_sidecar_repl_factory",
    "run",
]

_MODULES = {
    "ledger.budget": ("Budget",),
    "command": ("run",),
    "ledger.costs": ("CostSummary", "ModelCosts"),
    "factory": ("SidecarREPLEnv", "SidecarREPLFactory", "create_sidecar_repl_factory"),
    "models.model": ("Completion", "LiteLLMModel", "Message", "Model"),
    "official": ("RLM", "ModelUsageSummary", "RLMChatCompletion", "UsageSummary"),
    "repl": ("RLM_REPL",),
    "result": ("RunResult",),
    "setting": ("RunOptions",),
    "shown": ("ShownText",),
    "models.terms": ("Terms",),
    "ledger.usage": ("Usage",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'events')}"), name)
