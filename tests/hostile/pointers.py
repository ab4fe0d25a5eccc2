"""Raw memory through ctypes. A guest may break its own memory; nothing else is within its reach."""

from __future__ import annotations

from tests.hostile.program import Program, heavy, program

PROGRAMS = (
    program("null", "ok | killed", "import ctypes\nctypes.string_at(0)"),
    program("the end of the address space", "killed", "import ctypes\nctypes.string_at(-1)"),
    program(
        "behind the memory",
        "killed",
        "import ctypes\nctypes.string_at(0xf0000000)",
    ),
    program(
        "a wild length",
        "killed | MemoryError | SystemError | OverflowError | ValueError",
        "import ctypes\nctypes.string_at(65536, 0x7fffffff)",
    ),
    program(
        "a negative length",
        "killed | MemoryError | SystemError | OverflowError | ValueError",
        "import ctypes\nctypes.string_at(65536, -2)",
    ),
    program(
        "a write behind the memory",
        "killed",
        "import ctypes\nctypes.memset(0xfffffff0, 1, 1 << 20)",
    ),
    program(
        "a wild memmove",
        "killed | ok | SystemError",
        "import ctypes\nctypes.memmove(1024, 0, 64 << 20)",
    ),
    program(
        "zeros over the interpreter",
        "killed | ok | SystemError",
        """
        import ctypes
        ctypes.memset(id(None) & ~0xffff, 0, 1 << 20)
        print(None)
        """,
    ),
    program(
        "a wild reference count",
        "killed | ok | SystemError",
        """
        import ctypes
        value = [object()]
        ctypes.c_uint32.from_address(id(value[0])).value = 0
        del value
        """,
    ),
    program(
        "an object of a made-up type",
        "killed | ok | SystemError | TypeError",
        """
        import ctypes
        victim = bytearray(64)
        ctypes.c_uint32.from_address(id(victim) + 4).value = 0xdeadbee0
        repr(victim)
        """,
    ),
    program(
        "a call of a number",
        "killed | ok | SystemError",
        "import ctypes\nctypes.CFUNCTYPE(ctypes.c_int)(7)()",
    ),
    program(
        "a call of a number that is no function",
        "killed | ok | SystemError",
        "import ctypes\nctypes.CFUNCTYPE(ctypes.c_int)(0x7fffffff)()",
    ),
    program(
        "a call with the wrong types",
        "killed | ok | SystemError | ValueError",
        """
        import ctypes
        f = ctypes.pythonapi.PyLong_FromLong
        f.argtypes, f.restype = [ctypes.c_double] * 4, ctypes.c_double
        f(1.0, 2.0, 3.0, 4.0)
        """,
    ),
    program(
        "all memory of the process, searched for what is the host's",
        "ok",
        """
        import ctypes
        end = 16 << 20
        memory = ctypes.string_at(0, end) if hasattr(ctypes, 'string_at') else b''
        for piece in (b'CANARY' + b'-OF-THE-HOST', b'/site-packages/was' + b'mtime'):
            assert piece not in memory
        """,
    ),
    program(
        "functions of the C library that end or leave the process",
        "killed | OSError | AttributeError",
        "import ctypes\nctypes.CDLL(None).abort()",
    ),
    program(
        "system of the C library",
        "ok | OSError | AttributeError",
        "import ctypes\nassert ctypes.CDLL(None).system(b'id') != 0",
    ),
    program(
        "files of the host through the C library",
        "ok",
        "import ctypes\nassert ctypes.CDLL(None).open(b'/etc/passwd', 0, 0) < 0",
    ),
    program(
        "the process's own functions by name",
        "ok | killed | OSError | SystemError",
        """
        import ctypes
        library = ctypes.CDLL(None)
        names = ('getenv', 'gethostname', 'getpid', 'getppid', 'getuid', 'isatty', 'access',
                 'chdir', 'rmdir', 'unlink', 'kill', 'fork', 'execv', 'socket', 'connect', 'bind')
        for name in names:
            try:
                print(name, getattr(library, name)(0, 0, 0))
            except (AttributeError, OSError, TypeError, ValueError):
                pass
        """,
    ),
    Program(
        "every C function that it can name, with wild arguments",
        "ok | killed | interrupted | OSError | SystemError",
        """
import ctypes, random
random.seed(1)
library = ctypes.CDLL(None)
words = [0, 1, -1, 7, 4096, 65536, 0x7fffffff, 0xf0000000]
names = '''memcpy memmove memset strlen strcpy strcat sprintf sscanf qsort bsearch realloc free
calloc mmap munmap mprotect read write pread pwrite readv writev open openat fcntl ioctl lseek
ftruncate dup dup2 pipe stat fstat lstat rename link symlink readlink mkdir opendir readdir getcwd
poll select utimes chmod chown umask clock_gettime nanosleep getrandom getentropy dlopen dlsym
PyObject_Repr PyObject_Str PyList_New PyTuple_New PyDict_New PyLong_FromLong Py_DecRef PyErr_Clear
PyMem_Malloc PyMem_Free PyObject_Call PyEval_EvalCode Py_Finalize PyGC_Collect'''.split()
for name in names:
    try:
        getattr(library, name)(*random.choices(words, k=3))
    except (AttributeError, OSError, TypeError, ValueError, MemoryError, SystemError):
        pass
""",
        seconds=5.0,
        heavy=True,
    ),
    heavy(
        "a callback into itself without end",
        "RecursionError | killed | ok | SystemError | OSError",
        """
        import ctypes
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
        @kind
        def again(n):
            return again(n + 1)
        again(0)
        """,
    ),
)
