"""`rlm-kernel eval`: a model with and without RLM, on questions of any length."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlm_kernel.agent.evaluation import Request

_AS_GIVEN = (
    *("out", "model", "recursive_model", "window", "max_iterations", "max_depth"),
    *("parallel", "resume", "retry_errors", "ray"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    _add_what(parser)
    _add_how(parser)
    _add_limits(parser)
    parser.epilog = (
        "Tasks: s-niah, oolong, oolong-pairs; and oolong-labelled, oolong-pairs-labelled, which "
        "code alone can solve. Exit status 0 says that every item was tried, not that it was "
        "answered."
    )


def run(arguments: argparse.Namespace) -> int:
    from rlm_kernel.agent.evaluation import evaluate_model

    return evaluate_model(_request(arguments))


def _add_what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", default="s-niah,oolong,oolong-pairs", help="which, with commas")
    parser.add_argument(
        "--lengths",
        default="8k,32k",
        help="of the contexts in tokens, with commas, up to 1m; 8k is 8,192 (default %(default)s)",
    )
    parser.add_argument(
        "--count", type=int, default=5, help="items of each task and length (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="for other items (default %(default)s)")


def _add_how(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--methods", default="rlm,plain", help="with commas (default %(default)s)")
    parser.add_argument("--model", help="a litellm name, or 'local' ($MODEL_PATH, else local)")
    parser.add_argument("--recursive-model", help="for questions of the model's own (the same)")
    parser.add_argument(
        "--window", type=int, metavar="TOKENS", help="what the model takes in, if it is not known"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the results")
    parser.add_argument(
        "--parallel", type=int, default=1, help="items at a time (default %(default)s)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with results that are there")
    parser.add_argument(
        "--retry-errors", action="store_true", help="the same, and try again what failed"
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="evaluate on this Ray cluster ('local': one of its own)"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-iterations", type=int, default=20, help="turns of an RLM (default %(default)s)"
    )
    parser.add_argument(
        "--max-depth", type=int, default=1, help="models that ask models (default %(default)s)"
    )
    limits = parser.add_argument_group("limits for each item; one that reaches them is an error")
    limits.add_argument("--item-seconds", type=float, metavar="N")
    limits.add_argument("--item-cost", type=float, metavar="USD")
    limits.add_argument("--item-tokens", type=int, metavar="N", help="in and out")
    limits.add_argument("--item-calls", type=int, metavar="N", help="of models")


def _request(arguments: argparse.Namespace) -> Request:
    from rlm_kernel.agent import Budget
    from rlm_kernel.agent.evaluation import Plan, Request, parse_length

    plan = Plan(
        tasks=_names(arguments.task),
        lengths=tuple(parse_length(length) for length in _names(arguments.lengths)),
        count=arguments.count,
        methods=_names(arguments.methods),
        seed=arguments.seed,
    )
    budget = Budget(
        cost_usd=arguments.item_cost,
        tokens=arguments.item_tokens,
        calls=arguments.item_calls,
        seconds=arguments.item_seconds,
    )
    return Request(plan, budget=budget, **{name: getattr(arguments, name) for name in _AS_GIVEN})


def _names(text: str) -> tuple[str, ...]:
    """What commas part, each once."""
    return tuple(dict.fromkeys(filter(None, (name.strip() for name in text.split(",")))))
