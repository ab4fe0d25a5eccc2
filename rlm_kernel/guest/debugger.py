"""The debugger of a session: IPython's, which an interrupt ends."""

from __future__ import annotations


def use_interruptible() -> None:
    """Has `pdb` and `breakpoint` use it: pdb's own asks again after an interrupt, for ever."""
    import pdb

    from IPython.core import debugger

    debugger.Pdb = pdb.Pdb = debugger.InterruptiblePdb  # type: ignore[assignment,misc]
    pdb.set_trace = debugger.set_trace
