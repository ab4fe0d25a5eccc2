"""Routes that come in late: everyone waits for the same import, and a failed one is told of."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import cast

import pytest
from tornado.web import Application

from rlm_kernel.errors import ManagerError
from rlm_kernel.manager.handlers.base import Services
from rlm_kernel.manager.jupyter.loading import LateRoutes

SERVICES = cast(Services, None)


async def test_the_routes_are_there_for_all_who_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    application = Application()
    mounted: list[object] = []
    module = ModuleType("late_routes")
    module.__dict__["mount"] = lambda *given: mounted.append(given)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    late = LateRoutes(SERVICES, (module.__name__,))
    assert late.expects("/api/kernels")
    assert not late.expects("/apis")
    await asyncio.gather(*(late.ready(application) for _ in range(3)))
    assert mounted == [(application, SERVICES)]
    assert not late.expects("/api/kernels")


async def test_one_who_does_not_wait_any_more_takes_nothing_from_others() -> None:
    late = LateRoutes(SERVICES, ())
    hasty, patient = (asyncio.ensure_future(late.ready(Application())) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    await patient


async def test_what_cannot_be_imported_is_an_error_each_time() -> None:
    late = LateRoutes(SERVICES, ("no.such.module",))
    for _ in range(2):
        with pytest.raises(ManagerError, match="Jupyter Server"):
            await late.ready(Application())
        assert late.expects("/api")
