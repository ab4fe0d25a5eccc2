"""A model for a service that is asked many things at once: it replies to what it is asked."""

from __future__ import annotations

from collections.abc import Callable

from rlm_kernel.testing import ChatRequest, ScriptedModelServer, Step

Reply = Callable[[ChatRequest], Step]


class Oracle(ScriptedModelServer):
    """Answers by the first of `replies` whose key is anywhere in the conversation.

    The test that wants a certain reply asks a question with a key of its own. Anything else is
    answered by `FINAL(yes)`.
    """

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        super().__init__(self._reply)

    def _reply(self, request: ChatRequest) -> Step:
        said = "\n".join(str(message["content"]) for message in request.messages)
        for key, reply in self.replies.items():
            if key in said:
                return reply(request)
        return "FINAL(yes)"


def in_turn(*steps: Step) -> Reply:
    """One step for each turn of a run: its conversation shows how many there were."""

    def reply(request: ChatRequest) -> Step:
        turn: int = sum(message["role"] == "assistant" for message in request.messages)
        return steps[min(turn, len(steps) - 1)]

    return reply
