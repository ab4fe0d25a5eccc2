"""Alive, and able to work: the two questions that whoever runs the service asks."""

from __future__ import annotations

from rlm_kernel import __version__, errors
from rlm_kernel.agent.service.handlers.base import Handler
from rlm_kernel.agent.service.wire import Health, Readiness
from rlm_kernel.http.operation import Operation, by_method, json_answer


class Alive(Handler):
    """`/health`. Open to those without a token; it asks nobody else."""

    token_needed = False
    operations = by_method(
        GET=Operation("health", "That the service is alive", json_answer(Health))
    )

    def get(self) -> None:
        self.answer(Health(version=__version__, runs=len(self.services.runs)))


class Ready(Handler):
    """`/ready`. Open to those without a token: it tells next to nothing, and asks seldom."""

    token_needed = False
    operations = by_method(
        GET=Operation(
            "ready",
            "That there are a manager that can run code and a model",
            json_answer(Readiness),
            (errors.NotReady,),
        )
    )

    async def get(self) -> None:
        self.services.runs.refuse_when_closing()
        self.answer(await self.services.readiness.prove())
