"""Evaluation: generated questions about contexts of any length, and a model's score in them.

The names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlm_kernel.agent.evaluation.catalogue import TASKS, make_item
    from rlm_kernel.agent.evaluation.command import Request, evaluate_model
    from rlm_kernel.agent.evaluation.conditions import Conditions
    from rlm_kernel.agent.evaluation.item import Item, ItemName
    from rlm_kernel.agent.evaluation.plan import Plan
    from rlm_kernel.agent.evaluation.result import Result
    from rlm_kernel.agent.evaluation.results_file import ResultsFile
    from rlm_kernel.agent.evaluation.tokens import estimate_tokens, parse_length

__all__ = [
    "TASKS",
    "Conditions",
    "Item",
    "ItemName",
    "Plan",
    "Request",
    "Result",
    "ResultsFile",
    "estimate_tokens",
    "evaluate_model",
    "make_item",
    "parse_length",
]

_HOME = {
    "TASKS": "catalogue",
    "make_item": "catalogue",
    "Request": "command",
    "evaluate_model": "command",
    "Conditions": "conditions",
    "Item": "item",
    "ItemName": "item",
    "Plan": "plan",
    "Result": "result",
    "ResultsFile": "results_file",
    "estimate_tokens": "tokens",
    "parse_length": "tokens",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
