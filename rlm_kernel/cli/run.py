"""`rlm-kernel run`: one question, answered by a recursive language model."""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--context",
        nargs="+",
        type=Path,
        required=True,
        metavar="PATH",
        help="what it is about: files and folders",
    )
    parser.add_argument("--query", required=True, metavar="TEXT", help="the question")
    parser.add_argument("--model", help="a litellm name, or 'local' ($MODEL_PATH, else local)")
    parser.add_argument("--recursive-model", help="for questions of the model's own (the same)")
    parser.add_argument(
        "--max-iterations", type=int, default=20, help="turns of the model (default %(default)s)"
    )
    parser.add_argument(
        "--max-depth", type=int, default=1, help="models that ask models (default %(default)s)"
    )
    parser.add_argument(
        "--preload",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="a package for the sessions of a manager of its own: a requirement or a wheel",
    )
    parser.add_argument(
        "--save",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="save the trajectory: FILE.ipynb, .jsonl, .json or .txt (may be given several times)",
    )


def run(arguments: argparse.Namespace) -> int:
    from rlm_kernel import agent

    return agent.run(
        context=arguments.context,
        query=arguments.query,
        model=arguments.model,
        recursive_model=arguments.recursive_model,
        max_iterations=arguments.max_iterations,
        max_depth=arguments.max_depth,
        preload=arguments.preload,
        save=arguments.save,
    )
