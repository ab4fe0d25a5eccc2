"""Programs that want all memory, all time, all of the stack, or all attention."""

from __future__ import annotations

from tests.hostile.program import endless, heavy, program

PROGRAMS = (
    heavy("a list without end", "MemoryError", "x = []\nwhile True: x.append(bytes(1 << 20))"),
    endless(
        "small objects without end",
        "MemoryError | killed | interrupted",
        "x = []\nwhile True: x.append([[], {}])",
        seconds=5,
    ),
    heavy("a text that doubles", "MemoryError | OverflowError", "x = 'x'\nwhile True: x += x"),
    endless(
        "a dictionary without end",
        "MemoryError | killed | interrupted",
        """
        x = {}
        n = 0
        while True:
            x[n] = str(n) * 100
            n += 1
        """,
        seconds=5,
    ),
    program("all of the address space", "MemoryError", "bytearray((1 << 31) - 64)"),
    program("more than the address space", "MemoryError | OverflowError", "b'x' * (1 << 62)"),
    program("a width of two billion", "MemoryError | OverflowError", "'%*d' % ((1 << 31) - 1, 7)"),
    program("a format of two billion", "MemoryError | ValueError", "format(1, '2000000000d')"),
    program("padding without end", "MemoryError | OverflowError", "'x'.ljust(1 << 31)"),
    program(
        "an array of everything",
        "MemoryError | OverflowError",
        "import array\narray.array('q', [0]) * (1 << 29)",
    ),
    program(
        "a structure of everything",
        "error | MemoryError | OverflowError",
        "import struct\nstruct.pack('2147483647x2147483647x')",
    ),
    heavy(
        "every product",
        "MemoryError",
        "import itertools\nlist(itertools.product(range(200), repeat=4))",
    ),
    program("a function in a function", "RecursionError", "def f(): f()\nf()"),
    heavy(
        "a representation in a representation",
        "RecursionError",
        """
        class C:
            __repr__ = lambda s: repr(s)
        repr(C())
        """,
    ),
    heavy(
        "an attribute of an attribute",
        "RecursionError",
        """
        class C:
            __getattr__ = lambda s, n: getattr(s, n)
        C().x
        """,
    ),
    endless(
        "no limit of recursion",
        "RecursionError | MemoryError | killed | interrupted",
        """
        import sys
        sys.setrecursionlimit(10**9)
        def f(): f()
        f()
        """,
    ),
    heavy(
        "no limit of recursion, through C",
        "RecursionError | MemoryError | killed",
        """
        import sys
        sys.setrecursionlimit(10**9)
        class C:
            def __add__(self, other): return self + other
            def __eq__(self, other): return [self] == [other]
            def __hash__(self): return hash((self,))
            __str__ = lambda self: '%s' % self
        for act in (lambda: C() + 1, lambda: C() == C(), lambda: hash(C()), lambda: str(C())):
            try:
                act()
            except RecursionError:
                pass
        raise RecursionError
        """,
    ),
    program(
        "a list that is 50,000 deep",
        "ok | RecursionError",
        """
        x = []
        for _ in range(50_000): x = [x]
        assert repr(x)
        """,
    ),
    program(
        "deep things compared",
        "ok | RecursionError",
        """
        x, y = [], []
        for _ in range(200_000): x, y = [x], [y]
        x == y
        """,
    ),
    program(
        "a deep tuple as a key",
        "ok | RecursionError",
        """
        x = ()
        for _ in range(200_000): x = (x,)
        hash(x)
        """,
    ),
    heavy(
        "a million nested things freed",
        "ok",
        """
        x = []
        for _ in range(1_000_000): x = [x]
        del x
        """,
    ),
    heavy(
        "iterators in iterators",
        "StopIteration | RecursionError | killed",
        """
        x = iter([])
        for _ in range(500_000): x = map(abs, x)
        next(x)
        """,
    ),
    heavy(
        "chains in chains freed",
        "ok | killed | RecursionError",
        """
        import itertools
        x = []
        for _ in range(500_000): x = itertools.chain(x)
        del x
        """,
    ),
    program("deep JSON", "RecursionError", "import json\njson.loads('[' * 1_000_000)"),
    program(
        "deep JSON, objects",
        "RecursionError | JSONDecodeError",
        "import json\njson.loads('{\"a\":' * 500_000)",
    ),
    program(
        "deep JSON, written",
        "ok | RecursionError",
        """
        import json
        x = []
        for _ in range(200_000): x = [x]
        json.dumps(x)
        """,
    ),
    program("parentheses", "SyntaxError | MemoryError | RecursionError", "eval('(' * 100_000)"),
    program(
        "minus signs", "RecursionError | MemoryError | SyntaxError", "eval('-' * 1_000_000 + '1')"
    ),
    program(
        "a deep syntax tree",
        "RecursionError | MemoryError",
        """
        import ast
        node = ast.Constant(1)
        for _ in range(100_000):
            node = ast.UnaryOp(ast.USub(), node)
        compile(ast.fix_missing_locations(ast.Expression(node)), 'x', 'eval')
        """,
    ),
    heavy(
        "a program of a million lines",
        "ok | MemoryError",
        "exec('\\n'.join(f'x{n % 500} = {n}' for n in range(200_000)))",
    ),
    heavy(
        "a deep regular expression",
        "RecursionError | error | PatternError | OverflowError",
        "import re\nre.compile('(' * 50_000 + ')' * 50_000)",
    ),
    endless(
        "a regular expression that goes on",
        "killed | interrupted",
        "import re\nre.match('(a+)+$', 'a' * 64 + 'b')",
    ),
    endless("a number that is too large", "killed | interrupted | MemoryError", "10 ** 10 ** 9"),
    endless(
        "a factorial",
        "killed | interrupted | MemoryError",
        "import math\nmath.factorial(10 ** 8)",
    ),
    program("a number as text", "ValueError", "str(1 << 100_000)"),
    endless(
        "a number as text, without limit",
        "killed | interrupted | MemoryError | ok",
        """
        import sys
        sys.set_int_max_str_digits(0)
        len(str(7 ** 10_000_000))
        """,
    ),
    endless("a sum without end", "killed | interrupted", "sum(iter(int, 1))"),
    endless(
        "a search without end",
        "killed | interrupted",
        "import itertools\n-1 in itertools.repeat(0)",
    ),
    endless(
        "a deque fed without end",
        "killed | interrupted",
        "import collections, itertools\ncollections.deque(itertools.repeat(0), 0)",
    ),
    endless("a loop", "interrupted", "while True: pass"),
    endless(
        "a loop in C with a key in Python",
        "interrupted | killed",
        "max(iter(int, 1), key=lambda n: n)",
    ),
    heavy(
        "an archive of zeros",
        "MemoryError",
        """
        import io, zipfile
        data = io.BytesIO()
        with zipfile.ZipFile(data, 'w', zipfile.ZIP_DEFLATED) as archive:
            with archive.open('zeros', 'w', force_zip64=True) as member:
                for _ in range(512): member.write(bytes(1 << 20))
        zipfile.ZipFile(data).read('zeros')
        """,
    ),
    heavy(
        "a stream that swells",
        "MemoryError",
        """
        import zlib
        packer = zlib.compressobj(9)
        small = b''.join(packer.compress(bytes(1 << 20)) for _ in range(512)) + packer.flush()
        zlib.decompress(small)
        """,
    ),
    program(
        "a dictionary of a compressor that wants everything",
        "LZMAError | MemoryError",
        r"""
        import lzma
        lzma.decompress(b'\x5d\xff\xff\xff\xff' + b'\xff' * 8 + bytes(100), lzma.FORMAT_ALONE)
        """,
    ),
    program(
        "a pickle that runs a command",
        "OSError",
        r"""
        import pickle
        assert pickle.loads(b"cos\nsystem\n(S'id'\ntR.") != 0
        """,
    ),
    program(
        "a pickle of many lists",
        "MemoryError | UnpicklingError | OverflowError | EOFError",
        r"import pickle; pickle.loads(b'\x80\x04\x8e' + b'\xff' * 7 + b'\x7f')",
    ),
    program(
        "a deep pickle",
        "RecursionError | MemoryError | ok",
        """
        import pickle
        x = []
        for _ in range(100_000): x = [x]
        pickle.dumps(x)
        """,
    ),
    program(
        "broken marshal",
        "ok | ValueError | EOFError | TypeError | killed | MemoryError | SystemError",
        r"""
        import marshal, random
        random.seed(7)
        good = marshal.dumps(compile('x = [1, (2, 3), "four"]', 'f', 'exec'))
        for _ in range(300):
            bad = bytearray(good)
            bad[random.randrange(len(bad))] = random.randrange(256)
            try:
                marshal.loads(bytes(bad))
            except (ValueError, EOFError, TypeError, MemoryError, UnicodeDecodeError):
                pass
        """,
    ),
    program(
        "a billion laughs",
        "ok | ParseError | MemoryError",
        """
        import xml.etree.ElementTree as tree
        entities = ''.join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
        tree.fromstring(f'<!DOCTYPE x [<!ENTITY l0 "lol">{entities}]><x>&l11;</x>')
        """,
    ),
    program(
        "a decimal of all digits",
        "MemoryError | ok | InvalidOperation | Overflow",
        """
        import decimal
        decimal.getcontext().prec = decimal.MAX_PREC
        decimal.Decimal(1) / 3
        """,
    ),
    heavy(
        "a query without end",
        "MemoryError | OperationalError | DataError",
        """
        import sqlite3
        db = sqlite3.connect(':memory:')
        db.execute('''create table t as with recursive c(x) as
            (select 1 union all select x + 1 from c) select x, zeroblob(100000) from c''')
        """,
    ),
    endless(
        "a query that counts",
        "killed | interrupted",
        """
        import sqlite3
        sqlite3.connect(':memory:').execute(
            'with recursive c(x) as (select 1 union all select x+1 from c) select count(*) from c')
        """,
    ),
    endless("output without end", "interrupted | killed", "while True: print('x' * 1000)"),
    heavy("a hundred megabytes of output", "ok", "for _ in range(100): print('x' * (1 << 20))"),
    heavy(
        "a value that is too large to show",
        "ok | MemoryError",
        "'x' * (40 << 20)",
    ),
    program(
        "a message that is too large to show", "ValueError", "raise ValueError('x' * (20 << 20))"
    ),
    heavy(
        "a thousand pictures",
        "ok",
        """
        from IPython.display import display
        for _ in range(1000):
            display({'image/png': 'x' * 10_000}, raw=True)
        """,
    ),
    heavy(
        "a display that is too large for a frame",
        "ok | FrameError | ValueError | MemoryError",
        """
        from IPython.display import display
        display({'image/png': 'x' * (50 << 20)}, raw=True)
        """,
    ),
    program(
        "a chain of causes",
        "ValueError | RecursionError",
        """
        error = ValueError()
        for _ in range(5000):
            new = ValueError()
            new.__cause__ = error
            error = new
        raise error
        """,
    ),
    program(
        "groups of groups of exceptions",
        "ExceptionGroup | RecursionError",
        """
        error = ValueError()
        for _ in range(2000):
            error = ExceptionGroup('', [error])
        raise error
        """,
    ),
    heavy(
        "a traceback of 3,000 frames",
        "RecursionError | ValueError | MemoryError",
        """
        import sys
        sys.setrecursionlimit(100_000)
        def f(n):
            if n == 0: raise ValueError
            f(n - 1)
        f(3000)
        """,
    ),
    program(
        "a hundred thousand tasks",
        "ok",
        """
        import asyncio
        async def nothing(): await asyncio.sleep(3600)
        tasks = [asyncio.create_task(nothing()) for _ in range(10_000)]
        await asyncio.sleep(0)
        """,
    ),
    endless(
        "a loop that never rests",
        "interrupted | killed",
        "import asyncio\nwhile True: await asyncio.sleep(0)",
    ),
    program(
        "collisions",
        "ok",
        """
        class C:
            __hash__ = lambda self: 1
        {C(): n for n in range(1500)}
        """,
    ),
    program(
        "a class of too many bases",
        "ok | RecursionError | TypeError",
        """
        C = object
        for _ in range(300): C = type('C', (C,), {})
        C()
        """,
    ),
)
