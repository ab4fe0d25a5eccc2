"""Sessions as the interpreters of dspy: for `dspy.RLM`, and what else of it runs code.

import dspy
from rlm_kernel.agent.adapters.dspy import create_interpreter_factory

rlm = dspy.RLM("context, query -> answer", interpreter_factory=create_interpreter_factory())
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlm_kernel.agent.factory import SidecarREPLFactory, create_sidecar_repl_factory
from rlm_kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from rlm_kernel.agent.adapters.dspy_interpreter import SessionInterpreter

EXECUTION_INSTRUCTIONS = (
    "Code runs as cells of an IPython session: CPython 3.14 in WebAssembly, with top-level await. "
    "Variables, imports and functions stay, also those of a cell that raised. What a cell prints, "
    "and the value of its last expression, is shown to you. There is the standard library, but no "
    "network, no subprocess and no thread: for work in parallel use llm_query_batched."
)


@dataclass(frozen=True, slots=True)
class InterpreterFactory:
    """Makes one interpreter, with a session of its own, for each call of a dspy module.

    `cell_timeout_s` is how long one piece of code may take, the functions it calls included;
    `output_limit` how many characters of its output are kept. It may be called from any thread.
    """

    sessions: SidecarREPLFactory
    cell_timeout_s: float = 600.0
    output_limit: int = 1_000_000

    @property
    def execution_instructions(self) -> str:
        """What dspy tells the model about the place where its code runs."""
        return EXECUTION_INSTRUCTIONS

    def __call__(self) -> SessionInterpreter:
        """An interpreter, whose session begins when it is started or first used."""
        from rlm_kernel.agent.adapters.dspy_interpreter import SessionInterpreter

        return SessionInterpreter(
            self.sessions, cell_timeout_s=self.cell_timeout_s, output_limit=self.output_limit
        )


def create_interpreter_factory(
    url: str | None = None, *, cell_timeout_s: float = 600.0, output_limit: int = 1_000_000
) -> InterpreterFactory:
    """A factory of interpreters on the manager at `url`, else WASM_MANAGER_SERVICE_URL.

    Raises ConfigurationError, also where dspy is not installed.
    """
    if importlib.util.find_spec("dspy") is None:
        raise ConfigurationError("dspy is not installed: pip install 'rlm-kernel[dspy]'")
    sessions = create_sidecar_repl_factory(url)
    return InterpreterFactory(sessions, cell_timeout_s, output_limit)
