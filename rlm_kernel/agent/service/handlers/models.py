"""The models that requests may choose, as OpenAI's clients ask for them."""

from __future__ import annotations

import time

from rlm_kernel.agent.service.handlers.base import Handler
from rlm_kernel.agent.service.models import DEFAULT
from rlm_kernel.agent.service.wire import ModelEntry, ModelList
from rlm_kernel.http.operation import Operation, by_method, json_answer

_STARTED = int(time.time())


class AllModels(Handler):
    """`/v1/models`"""

    operations = by_method(
        GET=Operation("models", "The models that requests may choose", json_answer(ModelList))
    )

    def get(self) -> None:
        names = (DEFAULT, *self.services.models.names) if self.services.models.names else ()
        self.answer(ModelList(data=[ModelEntry(id=name, created=_STARTED) for name in names]))
