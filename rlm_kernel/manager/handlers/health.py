"""Alive, and able to work: the two questions that whoever runs the manager asks."""

from __future__ import annotations

from rlm_kernel import __version__
from rlm_kernel.manager.handlers.base import Handler
from rlm_kernel.manager.wire import Health


class Alive(Handler):
    """`/health`. Open to those without a token: it tells next to nothing."""

    token_needed = False

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

    async def get(self) -> None:
        self.services.manager.refuse_when_closing()
        self.answer(await self.services.readiness.prove())
