"""The description of the interface, for programs that make clients of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rlm_kernel.agent.service.handlers.base import Handler
from rlm_kernel.http.messages import Description
from rlm_kernel.http.operation import Operation, by_method, json_answer

if TYPE_CHECKING:
    from rlm_kernel.agent.service.application import AgentApplication


class OpenAPI(Handler):
    """`/openapi.json`"""

    operations = by_method(GET=Operation("describe", "This description", json_answer(Description)))

    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(cast("AgentApplication", self.application).description)
