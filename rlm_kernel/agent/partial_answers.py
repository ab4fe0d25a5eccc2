"""The best there is of a run that ends without an answer."""

from __future__ import annotations

from rlm_kernel.agent.answers import find_text_answer
from rlm_kernel.agent.events import Event, ModelReplied, OutputWritten
from rlm_kernel.agent.fences import parse_reply, without_thoughts

LONGEST = 10_000
"""Characters that are kept, the last ones."""

_SHOWN = frozenset({"stdout", "display", "result"})
_NOTHING = (0, "")


class PartialAnswers:
    """Watches the events of a tree of runs, and knows for each what its answer might have been."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[int, str]] = {}
        self._outputs: dict[str, tuple[int, str]] = {}
        self._replies: dict[str, str] = {}

    def of(self, run: str) -> str | None:
        """What the latest turn that says anything says.

        That is a FINAL(...) in the text of its reply, which was not taken, or else what its code
        showed. Where no turn has any of these it is the last reply, and None before the first.
        """
        claim, output = self._claims.get(run, _NOTHING), self._outputs.get(run, _NOTHING)
        _, best = claim if claim[0] >= output[0] else output
        return best.strip() or self._replies.get(run) or None

    def see(self, event: Event) -> None:
        """Take note of what an event says."""
        if isinstance(event, ModelReplied):
            self._see_reply(event)
        elif isinstance(event, OutputWritten) and event.kind in _SHOWN:
            turn, text = self._outputs.get(event.run, _NOTHING)
            text = text + event.text if turn == event.turn else event.text
            if text.strip():
                self._outputs[event.run] = (event.turn, text[-LONGEST:])

    def _see_reply(self, event: ModelReplied) -> None:
        reply = without_thoughts(event.text).strip()
        self._replies[event.run] = reply[-LONGEST:]
        claim = find_text_answer(parse_reply(reply).prose) if "FINAL(" in reply else None
        if claim is not None and claim.function == "FINAL":
            self._claims[event.run] = (event.turn, claim.argument[-LONGEST:])
