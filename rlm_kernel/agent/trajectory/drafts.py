"""The parts of a trajectory while they still grow; `as_dict` is what each is by now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rlm_kernel.agent.models.model import Message
from rlm_kernel.agent.trajectory.outputs import CellOutputs, Displays

Fields = dict[str, Any]


@dataclass(slots=True)
class CallsDraft:
    """The calls that some code made."""

    sub_calls: list[Fields] = field(default_factory=list)
    host_calls: list[Fields] = field(default_factory=list)

    def as_dict(self) -> Fields:
        return {"sub_calls": self.sub_calls, "host_calls": self.host_calls}


@dataclass(slots=True)
class BlockDraft:
    """A block of code that runs, or has run."""

    fields: Fields
    outputs: CellOutputs
    calls: CallsDraft = field(default_factory=CallsDraft)

    @property
    def runs(self) -> bool:
        return not self.fields.get("finished")

    def as_dict(self) -> Fields:
        outputs = {"outputs": self.outputs.as_list(), "cut": self.outputs.cut}
        return {**self.fields, **self.calls.as_dict(), **outputs}


@dataclass(slots=True)
class TurnDraft:
    """A turn of the model."""

    fields: Fields
    prompt: tuple[Message, ...]
    blocks: list[BlockDraft] = field(default_factory=list)
    calls: CallsDraft = field(default_factory=CallsDraft)

    def as_dict(self) -> Fields:
        blocks = [block.as_dict() for block in self.blocks]
        return {**self.fields, **self.calls.as_dict(), "blocks": blocks}


@dataclass(slots=True)
class RunDraft:
    """A run, with the runs below it."""

    fields: Fields
    turns: list[TurnDraft] = field(default_factory=list)
    children: list[RunDraft] = field(default_factory=list)
    displays: Displays = field(default_factory=Displays)

    @property
    def running_block(self) -> BlockDraft | None:
        """The block whose code runs now."""
        blocks = self.turns[-1].blocks if self.turns else []
        return blocks[-1] if blocks and blocks[-1].runs else None

    @property
    def calls(self) -> CallsDraft | None:
        """Where a call of the run belongs that is made now: to its block, or else to its turn."""
        block = self.running_block
        if block is not None:
            return block.calls
        return self.turns[-1].calls if self.turns else None
