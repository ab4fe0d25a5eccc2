"""The ways in which code gives an answer, and whether a cell gave one."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from rlm_kernel.guest.answer_variable import REFUSED, AnswerVariable, claimed, failures_told
from rlm_kernel.guest.argument_text import keywords_of, literal, names_of, unquoted
from rlm_kernel.guest.plain_data import as_json

ANSWER_TYPE = "application/vnd.rlm-kernel.answer+json"


class Answered:
    """Whether the last cell gave an answer: the agent reads the JSON form.

    `text` is what `str` makes of it. For a value that is no str `json` is it as JSON, or `problem`
    is the reason why it cannot be.
    """

    def __init__(self, text: str | None, source: str = "", value: Any = "") -> None:
        self._state = {"answered": text is not None, "text": text, "source": source}
        if not isinstance(value, str):
            self._state |= _crossing(value)

    @property
    def state(self) -> dict[str, Any]:
        """`answered`, then its `text`, its `source`, and what `json` or `problem` there is."""
        return self._state

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": "answered", ANSWER_TYPE: self._state}


class Answering:
    """`FINAL` and its kin, and the variable `answer`; `namespace` is where that lives."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._answer = AnswerVariable(namespace)
        self._given: tuple[str, Any] | None = None

    def final(self, value: Any) -> None:
        """Give `value` as the answer to the question."""
        if value is None:
            raise ValueError("FINAL got None: there is no answer in it")
        self._given = ("FINAL", value)

    def final_var(self, name: Any) -> None:
        """Give the value of the variable called `name` as the answer to the question."""
        value = self._variable(name.strip(" '\"`")) if isinstance(name, str) else name
        if value is None:
            raise ValueError(f"FINAL_VAR({name!r}): the value is None, there is no answer in it")
        self._given = ("FINAL_VAR", value)

    def submit(self, *value: Any, **fields: Any) -> None:
        """Give one value, or the dict of all keyword arguments, as the answer to the question."""
        if len(value) + bool(fields) != 1:
            raise TypeError("SUBMIT takes one value, or nothing but keyword arguments")
        self.final(fields or value[0])

    def answered(self) -> Answered:
        """The answer that the last cell gave, if it did, and if it can be made text."""
        try:
            return self._answered()
        except Exception:  # the value's own code; `after_cell` has told of it
            return Answered(None)

    def _answered(self) -> Answered:
        if self._given is not None:
            source, value = self._given
            content = _content(value)
            return Answered(str(content), source, content)
        content = claimed(self._answer.claim())
        return Answered(str(content) or None, "answer", content)

    def text_final(self, argument: str) -> None:
        """Take `FINAL(argument)` that the model wrote outside of any code.

        What computes with the session's variables is evaluated, a string loses its quotes, and
        all else is the answer as it stands.
        """
        value, computed = self._meant(argument)
        self._given = ("FINAL" if computed else "text", value)

    def text_submit(self, argument: str) -> None:
        """Take `SUBMIT(argument)` that the model wrote outside of any code; see `text_final`."""
        fields = keywords_of(argument)
        if fields is None:
            self.text_final(argument)
        else:
            self._given = ("text", {name: self._field(text) for name, text in fields.items()})

    def before_cell(self, *_: Any) -> None:
        """An answer belongs to the cell that gives it."""
        self._given = None
        self._answer.withdraw()

    def after_cell(self, result: Any) -> None:
        """A cell that raised gives no answer, and neither does what is empty or no text."""
        with failures_told():
            self._comment(result is not None and result.success)

    def _comment(self, succeeded: bool) -> None:
        claim = self._answer.claim()
        if not succeeded and (claim is not None or self._given is not None):
            print(REFUSED)
        elif claim is not None and self._given is None and not str(claimed(claim)):
            print("There is no answer yet: answer['ready'] is set, but answer['content'] is empty.")
        elif self._given is not None:
            str(_content(self._given[1]))

    def _meant(self, text: str) -> tuple[Any, bool]:
        """What the text of an argument means, and whether that was computed."""
        names = names_of(text)
        known = names <= self._namespace.keys() | vars(builtins).keys()
        if known and names & self._known().keys():
            value = eval(text.strip(), self._namespace)
            if not callable(value):
                return value, True
        return unquoted(text), False

    def _field(self, text: str) -> Any:
        value, computed = self._meant(text)
        return value if computed else literal(text)

    def _known(self) -> Mapping[str, Any]:
        """The variables of the model."""
        return self._namespace

    def _variable(self, name: str) -> Any:
        if name not in self._namespace:
            known = ", ".join(self._known()) or "none"
            raise NameError(f"there is no variable {name!r}; the variables are: {known}")
        return self._namespace[name]


def _content(value: Any) -> Any:
    """The answer that a value is, which may be the variable `answer` itself."""
    is_claim = isinstance(value, Mapping) and value.keys() == {"content", "ready"}
    return claimed(value) if is_claim else value


def _crossing(value: Any) -> dict[str, str]:
    try:
        return {"json": as_json(value)}
    except Exception as error:  # it is no data, or its own code fails
        return {"problem": str(error) or type(error).__name__}
