"""Alive, and able to work: the two questions that whoever runs the manager asks."""

from __future__ import annotations

from rlm_kernel import __version__, errors
from rlm_kernel.http.operation import Operation, by_method, json_answer
from rlm_kernel.manager.handlers.base import Handler
from rlm_kernel.manager.wire import Health, Readiness


class Alive(Handler):
    """`/health`. Open to those without a token: it tells next to nothing."""

    token_needed = False
    operations = by_method(
        GET=Operation("health", "That the manager is alive", json_answer(Health))
    )

    def get(self) -> None:
        services = self.services
        self.answer(
            Health(
                version=__version__,
                zygote=services.zygotes.state,
                sessions=len(services.manager),
                unsealed=services.zygotes.unsealed,
            )
        )


class Ready(Handler):
    """`/ready`. Those who ask at once, or within a second, get one and the same proof."""

    operations = by_method(
        GET=Operation(
            "ready",
            "That the manager can run code, shown by doing it",
            json_answer(Readiness),
            (errors.NotReady, errors.ZygoteError),
        )
    )

    async def get(self) -> None:
        self.services.manager.refuse_when_closing()
        self.answer(await self.services.readiness.prove())
