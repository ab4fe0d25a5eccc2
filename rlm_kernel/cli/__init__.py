"""The command `rlm-kernel`.

A command's module is imported only when it is the one that runs, so that the others cost
nothing. Exit status: the command's own, 2 for bad usage, 3 when rlm-kernel cannot do its part,
130 and 143 after Ctrl-C and SIGTERM, 141 when nobody reads the output any more.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn, Protocol, cast

from rlm_kernel import __version__
from rlm_kernel.cli.first_process import stand_aside
from rlm_kernel.errors import ConfigurationError, RLMKernelError

__all__ = ["main"]

COMMANDS = {
    "agent": "be the service: questions over HTTP, answered by a recursive language model",
    "attach": "open a Jupyter console on a session that lives",
    "eval": "measure a model with and without RLM on generated questions",
    "exec": "run Python code in one fresh sandbox",
    "fetch": "get Pyodide, verify it, compile it and keep it for later",
    "healthcheck": "ask a manager, or an agent, whether it is ready",
    "kernelspec": "install or remove the Jupyter kernel",
    "lab": "open JupyterLab on the live sessions of a manager",
    "model": "get the local language model",
    "run": "answer a question about files with a recursive language model",
    "serve": "be the manager: sessions over HTTP",
}


class Command(Protocol):
    """What the module of a command has."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; returns the exit status."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"rlm-kernel: error: {message} (see '{self.prog} --help')\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` and return its exit status."""
    stand_aside()
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser(words).parse_args(words)
    try:
        return _command(arguments.command).run(arguments)
    except RLMKernelError as error:
        _complain(error)
        return 2 if isinstance(error, ConfigurationError) else 3
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The interpreter flushes standard output once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="rlm-kernel", description="Python in WebAssembly, as Jupyter kernels.")
    parser.add_argument("--version", action="version", version=f"rlm-kernel {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=_sentence(summary))
        if name == chosen:
            _command(name).configure(command)
    return parser


def _command(name: str) -> Command:
    return cast(Command, import_module(f"{__name__}.{name}"))


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _complain(error: Exception) -> None:
    line = " ".join(str(error).split())
    print(f"rlm-kernel: error: {line}", file=sys.stderr)
