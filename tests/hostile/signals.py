"""Programs that will not be interrupted, and programs that go on after their cell."""

from __future__ import annotations

from tests.hostile.program import endless, program

ENDED = "interrupted | killed"

PROGRAMS = (
    endless(
        "interrupts swallowed",
        "killed",
        """
        while True:
            try:
                while True: pass
            except BaseException: pass
        """,
    ),
    endless(
        "interrupts ignored",
        "killed",
        """
        import signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True: pass
        """,
    ),
    endless(
        "interrupts handled",
        ENDED,
        """
        import signal
        signal.signal(signal.SIGINT, lambda *a: None)
        while True: pass
        """,
    ),
    endless(
        "interrupts that never end",
        ENDED,
        """
        import signal
        def h(*a):
            while True: pass
        signal.signal(signal.SIGINT, h)
        while True: pass
        """,
    ),
    endless(
        "an infinite finally",
        "killed",
        """
        try:
            while True: pass
        finally:
            while True: pass
        """,
    ),
    endless(
        "finally in finally",
        ENDED,
        """
        def f():
            try:
                while True: pass
            finally:
                f()
        f()
        """,
    ),
    endless(
        "a generator that will not close",
        ENDED,
        """
        def g():
            while True:
                try:
                    yield
                except BaseException: pass
        for _ in g(): pass
        """,
    ),
    endless(
        "a task that will not be cancelled",
        ENDED,
        """
        import asyncio
        async def f():
            while True:
                try:
                    await asyncio.sleep(0.01)
                except BaseException: pass
        await f()
        """,
    ),
    endless(
        "a task behind a shield",
        ENDED,
        """
        import asyncio
        async def f():
            while True: await asyncio.sleep(0.01)
        await asyncio.shield(f())
        """,
    ),
    endless("sleep", "interrupted", "import time\ntime.sleep(10 ** 6)"),
    endless(
        "sleep, swallowed",
        "killed",
        """
        import time
        while True:
            try:
                time.sleep(10)
            except KeyboardInterrupt: pass
        """,
    ),
    endless(
        "a context that swallows",
        ENDED,
        """
        class C:
            def __enter__(s): pass
            def __exit__(s, *a): return True
        while True:
            with C():
                while True: pass
        """,
    ),
    program(
        "sleep for longer than the universe",
        "OverflowError | ValueError | KeyboardInterrupt | OSError",
        "import time\ntime.sleep(1e300)",
    ),
    program(
        "every signal to itself",
        "ok | killed | KeyboardInterrupt",
        """
        import signal
        for n in range(1, 65):
            try:
                signal.raise_signal(n)
            except (OSError, ValueError): pass
        """,
    ),
    program(
        "a kill of itself", "ok | killed", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    ),
    program(
        "handlers that are no functions",
        "TypeError",
        "import signal\nsignal.signal(signal.SIGINT, 7)",
    ),
    program(
        "a handler that raises in every signal",
        "ZeroDivisionError",
        """
        import signal
        def h(*a): 1/0
        signal.signal(signal.SIGUSR1, h)
        signal.raise_signal(signal.SIGUSR1)
        """,
    ),
    program(
        "the session's clock taken away",
        "ok",
        """
        import signal
        signal.signal(signal.SIGPROF, lambda *a: 1/0)
        print('x')
        """,
    ),
    program(
        "timers",
        "ok | ZeroDivisionError | AttributeError",
        """
        import signal, time
        def h(*a): 1/0
        signal.signal(signal.SIGALRM, h)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
            time.sleep(0.05)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        """,
    ),
    program(
        "an alarm for the next cell",
        "ok | AttributeError",
        "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)",
    ),
    program(
        "interrupts raised by itself",
        "ok | KeyboardInterrupt",
        "import signal\nsignal.raise_signal(signal.SIGINT)",
    ),
    program("an interrupt thrown by hand", "KeyboardInterrupt", "raise KeyboardInterrupt"),
    program(
        "an exception that is no exception",
        "BaseException | E",
        "class E(BaseException): pass\nraise E",
    ),
    program(
        "an exception that cannot be shown",
        "E | ZeroDivisionError",
        """
        class E(Exception):
            __str__ = __repr__ = lambda s: 1/0
        raise E
        """,
    ),
    program(
        "an exception that ends the process when shown",
        "E | killed",
        """
        import os
        class E(Exception):
            __str__ = lambda s: os._exit(9)
        raise E
        """,
    ),
    endless(
        "an exception that is shown without end",
        "interrupted | killed | E",
        """
        class E(Exception):
            def __str__(s):
                while True: pass
        raise E
        """,
    ),
    endless(
        "a value that is shown without end",
        "interrupted | killed | ok",
        """
        class C:
            def __repr__(s):
                while True: pass
        C()
        """,
    ),
    endless(
        "work between cells, without end",
        "ok",
        """
        import asyncio
        def spin():
            while True: pass
        h = asyncio.get_event_loop().call_later(0.002, spin)
        """,
    ),
    endless(
        "work between cells that will not be interrupted",
        "ok",
        """
        import asyncio
        def spin():
            while True:
                try:
                    while True: pass
                except BaseException: pass
        h = asyncio.get_event_loop().call_later(0.002, spin)
        """,
    ),
    endless(
        "a task between cells that never rests",
        "ok",
        """
        import asyncio
        async def spin():
            while True: await asyncio.sleep(0)
        t = asyncio.create_task(spin())
        """,
    ),
    endless(
        "output between cells, without end",
        "ok",
        """
        import asyncio
        async def spin():
            while True:
                print('x' * 100)
                await asyncio.sleep(0)
        t = asyncio.create_task(spin())
        """,
    ),
    program(
        "the end between cells",
        "ok | killed",
        """
        import asyncio, os
        h = asyncio.get_event_loop().call_later(0.002, os._exit, 1)
        """,
    ),
    program(
        "a failure between cells",
        "ok",
        """
        import asyncio
        h = asyncio.get_event_loop().call_later(0.002, lambda: 1/0)
        """,
    ),
)
