"""Lets pytest run coroutine functions as tests: each on an event loop of its own, or on `runner`'s.

A zygote belongs to one event loop. Tests that share one therefore share the loop too, which a test
does by using `runner`, or a fixture that does.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import Iterator

import pytest

from rlm_kernel.sandbox import Zygote

# Tests count a manager's processes, and tell a new session by its new process. Sessions that are
# ready before have tests of their own.
os.environ["RLM_KERNEL_POOL"] = "0"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    coroutine = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    runner = pyfuncitem.funcargs.get("runner")
    if isinstance(runner, asyncio.Runner):
        runner.run(coroutine)
    else:
        asyncio.run(coroutine)
    return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command that a test runs in this process logs where that test looks, and nowhere later."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop, which runs while a test or a fixture has it run something."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def zygote(runner: asyncio.Runner) -> Iterator[Zygote]:
    """One that outlives each test; sessions of it may have limits of their own to wait for."""
    zygote = runner.run(Zygote.start())
    yield zygote
    runner.run(zygote.close())
