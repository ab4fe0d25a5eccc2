"""The functions of the official library by which code asks models, answered by the library."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rlm.core.comms_utils import (
    LMRequest,
    LMResponse,
    send_lm_request,
    send_lm_request_batched,
)
from rlm.core.types import RLMChatCompletion

Address = tuple[str, int]
SubCall = Callable[[str, str | None], RLMChatCompletion]


class SubCalls:
    """Asks the library's handler at `address`, or for `rlm_query` its `subcall`.

    As everywhere in the library, what fails is a text that starts with "Error:". `taken` are the
    completions since it was last emptied.
    """

    def __init__(
        self, address: Address | None, depth: int, subcall: SubCall | None, max_concurrent: int
    ) -> None:
        self.address = address
        self.taken: list[RLMChatCompletion] = []
        self._depth = depth
        self._subcall = subcall
        self._max_concurrent = max_concurrent

    def llm_query(self, prompt: str, model: str | None = None) -> str:
        """Ask a language model. It sees `prompt` and nothing else."""
        if self.address is None:
            return "Error: No LM handler configured"
        request = LMRequest(prompt=prompt, model=model, depth=self._depth)
        return self._text(send_lm_request(self.address, request))

    def llm_query_batched(self, prompts: list[str], model: str | None = None) -> list[str]:
        """Ask a language model many prompts at once; the replies come in the same order."""
        if not prompts:
            return []
        if self.address is None:
            return ["Error: No LM handler configured"] * len(prompts)
        responses = send_lm_request_batched(self.address, prompts, model=model, depth=self._depth)
        return [self._text(response) for response in responses]

    def rlm_query(self, prompt: str, model: str | None = None) -> str:
        """Have another agent, with a session of its own, work on `prompt`."""
        if self._subcall is None:
            return self.llm_query(prompt, model)
        return self._answers([prompt], model)[0]

    def rlm_query_batched(self, prompts: list[str], model: str | None = None) -> list[str]:
        """Have several agents work at once; their answers come in the same order."""
        if self._subcall is None:
            return self.llm_query_batched(prompts, model)
        return self._answers(prompts, model)

    def _text(self, response: LMResponse) -> str:
        if not response.success:
            return f"Error: {response.error}"
        self.taken.append(response.chat_completion)
        return str(response.chat_completion.response)

    def _answers(self, prompts: list[str], model: str | None) -> list[str]:
        if not prompts:
            return []
        with ThreadPoolExecutor(min(self._max_concurrent, len(prompts))) as pool:
            outcomes = list(pool.map(lambda prompt: self._ask(prompt, model), prompts))
        self.taken += [each for each in outcomes if not isinstance(each, Exception)]
        return [
            f"Error: RLM query failed - {each}"
            if isinstance(each, Exception)
            else str(each.response)
            for each in outcomes
        ]

    def _ask(self, prompt: str, model: str | None) -> RLMChatCompletion | Exception:
        assert self._subcall is not None
        try:
            return self._subcall(prompt, model)
        except Exception as error:
            return error
