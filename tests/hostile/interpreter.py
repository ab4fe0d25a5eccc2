"""The interpreter turned against itself: objects, byte code, hooks, the session's own modules."""

from __future__ import annotations

from tests.hostile.program import Program, endless, heavy, program

ANY = "any"
"""Byte code that no compiler makes, and the like, may do anything to its own session."""

BROKEN_SECONDS = 2.0
"""It may go round in circles."""

CODE = """
import dis, types
def victim(a=1):
    b = [a, 'text', 3.0]
    return b
def run(**changes):
    return types.FunctionType(victim.__code__.replace(**changes), {}, 'f', (1,))()
op = dis.opmap
"""


def broken(name: str, code: str) -> Program:
    return Program(name, ANY, CODE + code, BROKEN_SECONDS)


PROGRAMS = (
    broken("a constant that is not there", "run(co_code=bytes([op['LOAD_CONST'], 255] * 4))"),
    broken("a variable that is not there", "run(co_code=bytes([op['LOAD_FAST'], 250] * 4))"),
    broken("no code at all", "run(co_code=b'')"),
    broken("more off the stack than is on it", "run(co_code=bytes([op['POP_TOP'], 0] * 100))"),
    broken("no stack", "run(co_stacksize=0)"),
    broken("a jump to nowhere", "run(co_code=bytes([op['JUMP_FORWARD'], 255] * 3))"),
    broken(
        "noise as byte code",
        """
import random
random.seed(3)
for _ in range(40):
    try:
        run(co_code=bytes(random.randrange(256) for _ in range(20)))
    except Exception:
        pass
""",
    ),
    broken("constants that are none", "run(co_consts=())"),
    broken("names of variables that are none", "run(co_names=(), co_varnames=())"),
    broken("a table of exceptions that is noise", "run(co_exceptiontable=bytes(range(256)))"),
    broken("a table of lines that is noise", "run(co_linetable=bytes(range(256)))"),
    program("a fault, on purpose", "killed", "import faulthandler\nfaulthandler._sigsegv()"),
    program(
        "null, read on purpose", "ok | killed", "import faulthandler\nfaulthandler._read_null()"
    ),
    program(
        "a fatal error, on purpose",
        "killed | TypeError | AttributeError | RuntimeError",
        "import faulthandler\nfaulthandler._fatal_error_c_thread()",
    ),
    heavy(
        "a stack overflow, on purpose",
        "killed | RuntimeError | AttributeError",
        "import faulthandler\nfaulthandler._stack_overflow()",
    ),
    program("abort", "killed", "import os\nos.abort()"),
    program("the end, at once", "killed", "import os\nos._exit(3)"),
    program("the end, by an exception", "SystemExit | ok | killed", "import sys\nsys.exit(3)"),
    program("the end, by a word", "SystemExit | ok | killed", "exit()"),
    program(
        "the end, in a task",
        "ok | SystemExit | killed",
        """
        import asyncio
        async def end(): raise SystemExit(4)
        task = asyncio.create_task(end())
        await asyncio.sleep(0.05)
        """,
    ),
    program(
        "all modules gone",
        "ok | killed | KeyError | ImportError | AttributeError | RuntimeError",
        """
        import sys
        sys.modules.clear()
        import os
        """,
    ),
    program(
        "no builtins",
        "ok | killed | NameError | TypeError | KeyError | ImportError",
        "import builtins\nbuiltins.__dict__.clear()",
    ),
    program(
        "other builtins",
        "ok | killed | TypeError | RuntimeError",
        """
        import builtins
        for name in ('compile', 'exec', 'isinstance', 'len', 'print', 'repr', 'str', '__import__'):
            setattr(builtins, name, None)
        """,
    ),
    program(
        "no output",
        "ok",
        """
        import sys
        sys.stdout = sys.stderr = None
        print('x')
        """,
    ),
    program(
        "output of its own",
        "ok | ZeroDivisionError",
        """
        import sys
        class O:
            def __getattr__(s, n): 1/0
        sys.stdout = sys.stderr = O()
        """,
    ),
    program(
        "a display of its own",
        "ok | killed | ZeroDivisionError | TypeError",
        """
        import sys
        sys.displayhook = lambda v: 1/0
        7
        """,
    ),
    program(
        "hooks for errors",
        "ZeroDivisionError",
        """
        import sys
        sys.excepthook = sys.unraisablehook = lambda *a: 1/0
        1/0
        """,
    ),
    endless(
        "a trace without end",
        "interrupted | killed",
        """
        import sys
        def t(*a):
            while True: pass
        sys.settrace(t)
        def f(): pass
        f()
        """,
    ),
    program(
        "a trace that fails",
        "ZeroDivisionError | ok",
        """
        import sys
        def t(*a): 1/0
        sys.settrace(t)
        def f(): pass
        f()
        """,
    ),
    program(
        "a profile that fails",
        "ZeroDivisionError | ok",
        """
        import sys
        def t(*a): 1/0
        sys.setprofile(t)
        len('x')
        """,
    ),
    program(
        "monitoring of every event",
        "ok | ZeroDivisionError | RecursionError | killed",
        """
        import sys
        m = sys.monitoring
        m.use_tool_id(0, 'evil')
        m.set_events(0, m.events.CALL | m.events.LINE | m.events.PY_START | m.events.RAISE)
        for event in (m.events.CALL, m.events.LINE, m.events.PY_START, m.events.RAISE):
            m.register_callback(0, event, lambda *a: 1/0)
        """,
    ),
    program(
        "an audit hook that refuses everything",
        "ok | RuntimeError | killed",
        """
        import sys
        def h(*a): raise RuntimeError('no')
        sys.addaudithook(h)
        """,
    ),
    program(
        "callbacks of the collector that fail",
        "ok",
        """
        import gc
        def c(*a): 1/0
        gc.callbacks.append(c)
        gc.collect()
        """,
    ),
    endless(
        "callbacks of the collector without end",
        "interrupted | killed",
        """
        import gc
        def c(*a):
            while True: pass
        gc.callbacks.append(c)
        gc.collect()
        """,
    ),
    endless(
        "a destructor without end",
        "interrupted | killed",
        """
        class C:
            def __del__(self):
                while True: pass
        c = C()
        del c
        """,
    ),
    program(
        "destructors that raise the dead",
        "ok",
        """
        kept = []
        class C:
            def __del__(self):
                kept.append(self)
        for _ in range(1000): C()
        kept.clear()
        """,
    ),
    program(
        "destructors at the end",
        "killed",
        """
        import os
        class C:
            def __del__(self):
                while True: print('still here')
        c = C()
        os._exit(0)
        """,
    ),
    program(
        "work at the end",
        "ok | killed",
        """
        import atexit
        def forever():
            while True: pass
        atexit.register(forever)
        """,
    ),
    endless(
        "work at the end, now",
        "interrupted | killed | ok",
        """
        import atexit
        def forever():
            while True: pass
        atexit.register(forever)
        atexit._run_exitfuncs()
        """,
    ),
    program(
        "weak references that come back",
        "ok",
        """
        import weakref
        class C: pass
        def again(reference):
            weakref.ref(C(), again) if len(seen) < 100 else None
            seen.append(1); 1/0
        seen = []
        references = [weakref.ref(C(), again) for _ in range(100)]
        """,
    ),
    program(
        "classes exchanged",
        "ok | TypeError",
        """
        class A: __slots__ = ('x',)
        class B: __slots__ = ('y',)
        a = A(); a.x = 1
        for kind in (B, int, list, type, object):
            try:
                a.__class__ = kind
            except TypeError:
                pass
        print(a.__class__)
        """,
    ),
    program(
        "every object that there is, touched",
        "ok | killed",
        """
        import gc
        for each in gc.get_objects():
            try:
                each.__class__, len(each), hash(each), each == 1
            except BaseException:
                pass
        """,
    ),
    program(
        "every dictionary that there is, emptied",
        ANY,
        """
        import gc
        for each in gc.get_objects():
            if type(each) is dict and '__name__' not in each:
                each.clear()
        """,
    ),
    program(
        "a view of memory that is gone",
        "ok",
        """
        data = bytearray(1 << 16)
        view = memoryview(data)
        try:
            data.clear()
        except BufferError:
            pass
        view.release()
        try:
            view[0]
        except ValueError:
            pass
        """,
    ),
    program(
        "a sort that changes its list",
        "ValueError",
        """
        x = list(range(100))
        class K:
            def __lt__(self, other):
                x.append(1)
                return True
        x.sort(key=lambda n: K())
        """,
    ),
    program(
        "a dictionary that changes under its reader",
        "RuntimeError",
        "d = dict.fromkeys(range(100))\nfor k in d: d[k + 1000] = 1",
    ),
    program(
        "a buffer that changes under its writer",
        "ok | BufferError | ValueError | IndexError",
        """
        import io
        class E:
            def __index__(self):
                data.clear(); return 0
        data = bytearray(b'x' * 1000)
        data[E()] = 1
        """,
    ),
    program(
        "frames cleared and changed",
        "ok | RuntimeError | killed",
        """
        import sys
        frame = sys._getframe()
        while frame:
            try:
                frame.f_locals['self'] = None
                frame.f_lineno = 1
            except BaseException:
                pass
            try:
                frame.clear()
            except RuntimeError:
                pass
            frame = frame.f_back
        """,
    ),
    program(
        "modules of tests and internals",
        "ok | killed",
        """
        import importlib
        for name in ('_testcapi', '_testinternalcapi', '_testlimitedcapi', '_xxsubinterpreters',
                     '_interpreters', '_ctypes', '_posixsubprocess', '_multiprocessing', '_thread'):
            try:
                importlib.import_module(name)
            except (ImportError, MemoryError):
                pass
        """,
    ),
    program(
        "an interpreter in the interpreter",
        "ok | killed | RuntimeError | ImportError | ModuleNotFoundError | InterpreterError",
        """
        import _interpreters
        _interpreters.exec(_interpreters.create(), 'while 0: pass')
        """,
    ),
    program(
        "a codec that fails",
        "ok | LookupError | ZeroDivisionError",
        """
        import codecs
        def s(n): 1/0
        codecs.register(s)
        try:
            'x'.encode('evil')
        except Exception: pass
        """,
    ),
    endless(
        "an error handler that never advances",
        "interrupted | killed | ok",
        r"""
        import codecs
        codecs.register_error('evil', lambda e: ('', e.start))
        b'\xff'.decode('ascii', 'evil')
        """,
    ),
    program(
        "no digits",
        "ok",
        """
        import sys
        sys.set_int_max_str_digits(0)
        sys.setswitchinterval(1e-9)
        """,
    ),
    program(
        "a limit of recursion that leaves no room",
        "ok | RecursionError",
        """
        import sys
        try:
            sys.setrecursionlimit(1)
        except RecursionError: sys.setrecursionlimit(60)
        """,
    ),
    program(
        "the session's own modules, replaced",
        "ok | killed | ZeroDivisionError | TypeError | interrupted",
        """
        import sys
        for name, module in list(sys.modules.items()):
            if name.startswith('rlm_kernel.guest'):
                for attribute in list(vars(module)):
                    if not attribute.startswith('__'):
                        setattr(module, attribute, None)
        """,
    ),
    endless(
        "the session's own methods, replaced",
        "ok | killed | ZeroDivisionError | TypeError",
        """
        from rlm_kernel.guest import events, frames, interrupts, link, session
        def evil(*a, **k): 1/0
        events.Events.flush = events.Events.reply = link.Link.send = evil
        """,
    ),
    endless(
        "the session's own methods, without end",
        "interrupted | killed",
        """
        from rlm_kernel.guest import link
        def evil(*a, **k):
            while True: pass
        link.Link.wait = link.Link.send = link.Link.next = evil
        """,
    ),
    program(
        "interrupts turned off inside",
        "ok",
        """
        from rlm_kernel.guest.interrupts import Interrupts
        Interrupts._on_signal = lambda *a: None
        """,
    ),
    program(
        "IPython without its shell",
        "ok | killed | TypeError | AttributeError | AssertionError",
        "get_ipython().run_cell = None\nget_ipython().user_ns = None",
    ),
    program(
        "hooks of IPython that fail",
        "ok",
        """
        def evil(*a): 1/0
        for e in ('pre_execute', 'pre_run_cell', 'post_execute', 'post_run_cell'):
            get_ipython().events.register(e, evil)
        """,
    ),
    program(
        "hooks of IPython that end the process",
        "killed | ok",
        """
        import os
        get_ipython().events.register('post_run_cell', lambda r: os._exit(1))
        """,
    ),
    program(
        "transformers of IPython that fail",
        "ok",
        """
        def evil(*a): 1/0
        get_ipython().input_transformers_cleanup.append(evil)
        get_ipython().ast_transformers.append(evil)
        """,
    ),
    program(
        "handlers of IPython that fail",
        "ZeroDivisionError | ok",
        """
        def evil(*a, **k): 1/0
        get_ipython().set_custom_exc((Exception,), evil)
        1/0
        """,
    ),
    program(
        "formatters of IPython that fail",
        "ok | KeyboardInterrupt",
        """
        class C:
            def _repr_html_(s): raise SystemExit
            def _repr_mimebundle_(s, **k): raise KeyboardInterrupt
        C()
        """,
    ),
    program(
        "a history of its own",
        "ok | AssertionError",
        "get_ipython().execution_count = -5\nget_ipython().history_manager = None",
    ),
    program("a history of its own, too large", "ok", "get_ipython().execution_count = 10 ** 400"),
    program(
        "the loop, closed",
        "ok | RuntimeError | killed",
        "import asyncio\nasyncio.get_event_loop().close()",
    ),
    program("the loop, stopped", "ok | killed", "import asyncio\nasyncio.get_event_loop().stop()"),
    program(
        "the loop, replaced",
        "ok | OSError | RuntimeError",
        "import asyncio\nasyncio.set_event_loop(asyncio.new_event_loop())",
    ),
    program("the loop, run again", "RuntimeError", "import asyncio\nasyncio.run(asyncio.sleep(0))"),
    program(
        "the loop, without a selector",
        "ok | killed",
        "import asyncio\nasyncio.get_event_loop()._selector = None",
    ),
    program(
        "every task cancelled",
        "ok | KeyboardInterrupt | CancelledError",
        "import asyncio\nfor t in asyncio.all_tasks(): t.cancel()",
    ),
    program(
        "the task of the session, awaited",
        "ok | RuntimeError | KeyboardInterrupt | CancelledError",
        "import asyncio\nawait asyncio.current_task()",
    ),
)
