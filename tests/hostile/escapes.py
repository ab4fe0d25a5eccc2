"""Ways out of the interpreter, and looks at what is around it."""

from __future__ import annotations

from tests.hostile.program import program

PROGRAMS = (
    program("the page's JavaScript", "ModuleNotFoundError", "import js"),
    program("pyodide's JavaScript", "ModuleNotFoundError", "import pyodide_js"),
    program("pyodide's core", "ModuleNotFoundError", "import _pyodide_core"),
    program(
        "pyodide's core past the import system",
        "ok | ModuleNotFoundError | ImportError | SystemError | killed",
        """
        import _imp, importlib.machinery
        spec = importlib.machinery.ModuleSpec('_pyodide_core', importlib.machinery.BuiltinImporter)
        core = _imp.create_builtin(spec)
        _imp.exec_builtin(core)
        for name in dir(core):
            value = getattr(core, name)
            for arguments in ((), (1,), ('import os', {}), (None, None, None)):
                try:
                    print(name, value(*arguments))
                except Exception:
                    pass
        """,
    ),
    program(
        "pyodide's core with the guard taken away",
        "ok | ModuleNotFoundError | ImportError | SystemError | killed",
        """
        import sys
        del sys.meta_path[0]
        import _pyodide_core
        """,
    ),
    program(
        "pyodide's helpers",
        "ok",
        """
        for use in ('from pyodide.ffi import run_sync; run_sync(print)',
                    'from pyodide.code import run_js; run_js("1")',
                    'from pyodide.http import open_url; open_url("http://127.0.0.1")',
                    'import pyodide.ffi; pyodide.ffi.to_js([1])',
                    'import _pyodide._core_docs; _pyodide._core_docs.JsProxy()'):
            try:
                print(exec(use))
            except (ImportError, RuntimeError, NameError, TypeError, AttributeError, OSError):
                pass
        """,
    ),
    program("a package installer", "ModuleNotFoundError", "import micropip"),
    program(
        "every built-in module",
        "ok | killed",
        """
        import importlib, sys
        for name in sys.builtin_module_names:
            try:
                importlib.import_module(name)
            except Exception:
                pass
        """,
    ),
    program(
        "a program of the host",
        "OSError | FileNotFoundError | RuntimeError | NotImplementedError | ImportError",
        "import subprocess\nsubprocess.run(['/usr/bin/id'])",
    ),
    program("a shell", "OSError", "import os\nassert os.system('id') != 0"),
    program(
        "exec, spawn and fork",
        "ok",
        """
        import os
        calls = [
            lambda: os.execv('/bin/sh', ['sh']),
            lambda: os.execve('/bin/sh', ['sh'], {}),
            lambda: os.fork(),
            lambda: os.posix_spawn('/bin/sh', ['sh'], {}),
            lambda: os.popen('id').read(),
        ]
        for call in calls:
            try:
                value = call()
            except (OSError, AttributeError, RuntimeError, NotImplementedError, ImportError):
                continue
            assert value == '', value
        """,
    ),
    program(
        "IPython's shell", "OSError | UsageError", "value = !id\nassert 'uid' not in str(value)"
    ),
    program("a cell of bash", "ok | OSError | UsageError | RuntimeError", "%%bash\nid"),
    program(
        "a socket",
        "ok",
        """
        import socket
        for address in (('127.0.0.1', 22), ('169.254.169.254', 80), ('example.org', 443)):
            try:
                socket.create_connection(address, timeout=1)
            except OSError:
                continue
            raise AssertionError(address)
        """,
    ),
    program(
        "a socket of the system",
        "OSError | PermissionError | AttributeError",
        "import socket\nsocket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
    ),
    program("a server", "OSError", "import socket\nsocket.create_server(('', 8080))"),
    program(
        "a web page",
        "URLError | OSError | ImportError | ModuleNotFoundError",
        """
        import urllib.request
        urllib.request.urlopen('http://169.254.169.254/', timeout=1)
        """,
    ),
    program(
        "a thread",
        "RuntimeError",
        "import threading\nthreading.Thread(target=print).start()",
    ),
    program(
        "a pool of processes",
        "ok",
        """
        try:
            import multiprocessing
            multiprocessing.Pool(2).map(abs, [1])
        except (ImportError, OSError, RuntimeError, ValueError, AttributeError):
            pass
        else:
            raise AssertionError
        """,
    ),
    program(
        "processes in /proc",
        "ok",
        """
        import os
        for path in ('/proc', '/proc/self/environ', '/proc/1/maps', '/proc/self/mem', '/sys'):
            assert not os.path.exists(path), path
        """,
    ),
    program(
        "devices",
        "ok",
        """
        import os
        known = {'null', 'full', 'zero', 'urandom', 'random', 'owner', 'stdin', 'stdout', 'stderr'}
        assert set(os.listdir('/dev')) <= known
        for name in ('mem', 'kmem', 'kvm', 'sda', 'tty0', 'ptmx'):
            assert not os.path.exists(f'/dev/{name}')
        """,
    ),
    program(
        "passwords",
        "FileNotFoundError",
        "open('/etc/shadow').read()",
    ),
    program(
        "all that the interpreter knows of its surroundings",
        "ok",
        """
        import getpass, os, platform, site, socket, sys, sysconfig, tempfile
        print(dict(os.environ), os.getcwd(), sys.path, sys.argv, sys.executable, sys.flags)
        print(sys.prefix, sys.base_prefix, site.getsitepackages(), sysconfig.get_paths())
        print(platform.node(), platform.platform(), platform.uname(), os.uname())
        print(tempfile.gettempdir(), os.path.expanduser('~'), sys.version, sys.implementation)
        for ask in (socket.gethostname, os.getlogin, getpass.getuser, os.cpu_count):
            try:
                print(ask())
            except OSError as error:
                print(error)
        """,
    ),
    program(
        "process ids",
        "ok",
        """
        import os
        print([getattr(os, name)() for name in ('getpid', 'getppid', 'getuid', 'getgid')])
        print(os.getpgid(0), os.getsid(0))
        """,
    ),
    program(
        "every file that can be found",
        "ok",
        """
        import os
        for folder, _, names in os.walk('/'):
            if 'site-packages' not in folder and 'python314' not in folder:
                print(folder, names)
        print(os.statvfs('/'), os.stat('/'), os.times())
        """,
    ),
    program(
        "the paths in tracebacks",
        "JSONDecodeError",
        "import json\njson.loads('{')",
    ),
    program(
        "the frames below its own",
        "ok",
        """
        import sys
        frame = sys._getframe()
        while frame:
            print(frame.f_code.co_filename, list(frame.f_locals)[:20])
            frame = frame.f_back
        """,
    ),
    program(
        "every string that the collector knows of",
        "ok",
        """
        import gc
        found = set()
        for each in gc.get_objects():
            if type(each) is dict:
                found |= {value for value in each.values() if type(value) is str}
        print(sorted(found, key=len)[-2000:])
        """,
    ),
    program(
        "signals to the host's processes",
        "ok | KeyboardInterrupt | killed",
        """
        import os
        for pid in (1, 2, os.getppid(), 100, -1):
            try:
                os.kill(pid, 0)
            except OSError:
                pass
        """,
    ),
    program(
        "limits and priorities of the host",
        "ok",
        """
        import os
        for name, arguments in {
            'nice': (-5,), 'setuid': (0,), 'setgid': (0,), 'chroot': ('/',), 'setsid': (),
            'setpriority': (0, 0, 0), 'sched_setaffinity': (0, {0}), 'unshare': (1 << 28,),
            'setns': (0,), 'memfd_create': ('x',), 'pidfd_open': (1,), 'eventfd': (0,),
        }.items():
            try:
                getattr(os, name)(*arguments)
            except (AttributeError, OSError):
                pass
        """,
    ),
    program(
        "a terminal",
        "OSError | AttributeError | ModuleNotFoundError | ImportError",
        "import pty\npty.openpty()",
    ),
    program(
        "a library of the host",
        "OSError | ImportError | ModuleNotFoundError | MemoryError",
        "import ctypes\nctypes.CDLL('/lib/x86_64-linux-gnu/libc.so.6')",
    ),
    program(
        "an extension module of its own",
        "ImportError | OSError",
        r"""
        import importlib.util
        open('evil.so', 'wb').write(b'\0asm\x01\0\0\0' + b'\0\x08\x08dylink.0')
        importlib.machinery.ExtensionFileLoader('evil', '/home/user/evil.so').create_module(
            importlib.util.spec_from_loader('evil', None, origin='/home/user/evil.so'))
        """,
    ),
    program(
        "an extension module with code",
        "ImportError | OSError",
        r"""
        import importlib.util, sys
        code = bytes.fromhex('0061736d0100000001040160000003020100070b01075079496e6974000000'
                             '0a05010300000b')
        open('/home/user/evil.cpython-314-wasm32-emscripten.so', 'wb').write(code)
        open('/home/user/evil2.so', 'wb').write(code)
        sys.path.insert(0, '/home/user')
        for name in ('evil', 'evil2'):
            try:
                __import__(name)
            except ImportError as error:
                print(error)
        raise ImportError
        """,
    ),
    program(
        "a question that nobody allowed",
        "StdinNotImplementedError",
        "input('password?')",
    ),
    program(
        "a call of the host that nobody serves",
        "StdinNotImplementedError | HostCallError",
        """
        from rlm_kernel.guest import host
        host.call('../../etc/passwd', {'x': 1})
        """,
    ),
    program(
        "a web browser",
        "ok | Error | ModuleNotFoundError",
        "import webbrowser\nassert not webbrowser.open('x:')",
    ),
)
