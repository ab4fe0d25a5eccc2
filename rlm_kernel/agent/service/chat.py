"""Chats in OpenAI's form: what in them is the question, and what the context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, Field, StrictStr

from rlm_kernel.agent.models.model import Message, Role
from rlm_kernel.agent.service.wire import InferRequest, RunUsage
from rlm_kernel.errors import BadRequest
from rlm_kernel.http.messages import Wire

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_SHOWN = 400
_WHOLE = (
    "The context is a message of the user. What it asks stands, as a rule, at its beginning or at "
    "its end; find that, and answer it. It begins with:\n{head}\n\nIt ends with:\n{tail}"
)


class ChatMessage(Wire):
    """One message; its content is text, or parts that are."""

    role: str
    content: StrictStr | list[dict[str, Any]] | None = None

    def text(self) -> str:
        """Raises BadRequest for what is no text."""
        if not isinstance(self.content, list):
            return self.content or ""
        texts = [part.get("text") for part in self.content if part.get("type") == "text"]
        if len(texts) < len(self.content) or not all(isinstance(text, str) for text in texts):
            raise BadRequest("messages: only text is taken here")
        return "".join(map(str, texts))


class StreamOptions(Wire):
    """What a stream holds beside the answer."""

    include_usage: bool = False


class ChatRequest(Wire):
    """Body of `POST /v1/chat/completions`.

    What steers how a model writes (`temperature`, `max_tokens`, ...) is taken and has no effect;
    what changes what an answer is (`tools`, `n`, ...) is refused.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: StrictStr
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    audio: Any = None
    response_format: dict[str, Any] | None = None

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def is_typed(self) -> bool:
        return self.answer_schema() is not None

    def refuse_what_is_not_done(self) -> None:
        """Raises BadRequest."""
        for name in ("tools", "functions", "audio"):
            if getattr(self, name):
                raise BadRequest(f"{name}: not supported")
        if self.n not in (None, 1):
            raise BadRequest("n: only one answer is given")

    def answer_schema(self) -> dict[str, Any] | None:
        """The JSON schema that the answer shall be of. Raises BadRequest."""
        wanted = self.response_format or {}
        match wanted.get("type", "text"):
            case "text":
                return None
            case "json_schema":
                schema = (wanted.get("json_schema") or {}).get("schema")
                if isinstance(schema, dict):
                    return schema
        raise BadRequest("response_format: only text and json_schema, with its schema")


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat, taken apart: `messages` are all of it."""

    context: str
    query: str
    messages: tuple[Message, ...]

    @classmethod
    def of(cls, messages: Sequence[ChatMessage], limit: int) -> Chat:
        """The longest message is the context if it has more than `limit` characters.

        The last message of the user, beside that, is the question; what else was said comes before
        it. Raises BadRequest.
        """
        plain = tuple(Message(_role(each), each.text()) for each in messages)
        longest = max(plain, key=lambda each: len(each.content))
        context = longest if len(longest.content) > limit else None
        others = [each for each in plain if each is not context]
        asked = [each for each in others if each.role == "user"]
        if context is None and not asked:
            raise BadRequest("messages: none is of the user")
        question = asked[-1].content if asked else _about(longest.content)
        before = [each for each in others if not asked or each is not asked[-1]]
        return cls("" if context is None else context.content, _query(before, question), plain)

    def request(self, chat: ChatRequest) -> InferRequest:
        """The same as `POST /infer` has it."""
        return InferRequest(
            query=self.query,
            context=self.context,
            model=chat.model,
            answer_schema=chat.answer_schema(),
        )


def _role(message: ChatMessage) -> Role:
    if message.role not in _ROLES:
        raise BadRequest(f"messages: the role {message.role[:20]!r} is not supported")
    return _ROLES[message.role]


def _about(text: str) -> str:
    return _WHOLE.format(head=text[:_SHOWN], tail=text[-_SHOWN:])


def _query(before: Sequence[Message], question: str) -> str:
    if not question:
        raise BadRequest("messages: the last one of the user is empty")
    rules = [each.content for each in before if each.role == "system"]
    said = [f"{each.role}: {each.content}" for each in before if each.role != "system"]
    parts = [*rules]
    parts += ["What was said before:", *said, "What is asked now:"] if said else []
    return "\n\n".join([*parts, question])


class AssistantMessage(Wire):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str


class ChatChoice(Wire):
    """The only answer; `length` says that a limit ended the run, and this was the best by then."""

    index: Literal[0] = 0
    message: AssistantMessage
    finish_reason: Literal["stop", "length"]


class ChatUsage(Wire):
    """Tokens of the whole tree of runs."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, usage: RunUsage) -> ChatUsage:
        return cls(
            prompt_tokens=usage.input_tokens,
            completion_tokens=usage.output_tokens,
            total_tokens=usage.input_tokens + usage.output_tokens,
        )


class ChatCompletion(Wire):
    """Answer to `POST /v1/chat/completions`; after `chatcmpl-` its id is that of the run."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage


class ChatDelta(Wire):
    """What is added: to the answer, or to what is told of the way to it."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None


class ChunkChoice(Wire):
    """The only answer, as far as this piece goes."""

    index: Literal[0] = 0
    delta: ChatDelta
    finish_reason: Literal["stop", "length"] | None = None


class ChatChunk(Wire):
    """A piece of a streamed answer."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: ChatUsage | None = None
