"""Our sessions for the agents of other libraries: `dspy` and the official `rlms`.

Neither library is needed before an adapter is used.
"""

from rlm_kernel.agent.adapters import dspy, rlms

__all__ = ["dspy", "rlms"]
