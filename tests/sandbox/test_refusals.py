"""What cannot work in a session, and what is said of it: the last line of the traceback."""

from __future__ import annotations

import json

import pytest

from rlm_kernel.sandbox import Sandbox

THREADS = "no threads in this sandbox"
PROCESSES = "no subprocesses in this sandbox"
NETWORK = "no network in this sandbox"
JAVASCRIPT = "there is no JavaScript in this sandbox"
INSTALLED_BEFORE = "packages are installed before a session starts, by --preload"

ASK = """
import ast, inspect, traceback
def outcome(code):
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return eval(compile(code, "cell", "exec", flags=flags), {})
lines = []
for code in CODES:
    try:
        waits = outcome(code)
        if inspect.iscoroutine(waits): await waits
        lines.append(None)
    except Exception as error:
        lines.append(traceback.format_exception(error)[-1].strip())
import json
print(json.dumps(lines))
"""


@pytest.mark.parametrize(
    ("last_line", "codes"),
    [
        (
            f"RuntimeError: {THREADS}",
            [
                "import threading; threading.Thread(target=print).start()",
                "import threading; threading.Timer(1, print).start()",
                "import _thread; _thread.start_new_thread(print, ())",
                "from concurrent.futures import ThreadPoolExecutor as E; E().submit(print)",
                "import asyncio; await asyncio.to_thread(print)",
            ],
        ),
        (
            f"OSError: [Errno 138] {PROCESSES}",
            [
                "import subprocess; subprocess.run(['ls'])",
                "import subprocess; subprocess.check_output('ls', shell=True)",
                "import os; os.system('ls')",
                "import os; os.popen('ls')",
                "import os; os.fork()",
                "import os; os.execv('/bin/ls', ['ls'])",
                "import os; os.execlp('ls', 'ls')",
                "import os; os.spawnl(os.P_WAIT, '/bin/ls', 'ls')",
                "import asyncio; await asyncio.create_subprocess_exec('ls')",
                "import asyncio; await asyncio.create_subprocess_shell('ls')",
                "from concurrent.futures import ProcessPoolExecutor as E; E().submit(print)",
                "import multiprocessing; multiprocessing.Pool(2)",
                "import multiprocessing; multiprocessing.Queue()",
            ],
        ),
        (f"ChildProcessError: [Errno 12] {PROCESSES}", ["import os; os.waitpid(-1, 0)"]),
        (
            f"ModuleNotFoundError: _posixshmem: {PROCESSES}",
            [
                "import multiprocessing; multiprocessing.Process(target=print).start()",
                "import multiprocessing.shared_memory",
            ],
        ),
        (
            f"OSError: [Errno 138] {NETWORK}",
            [
                "import socket; socket.socket()",
                "import socket; socket.socketpair()",
                "import socket; socket.create_server(('127.0.0.1', 80))",
                "import http.server; http.server.HTTPServer(('', 8000), None)",
                "import asyncio; await asyncio.start_server(print, '127.0.0.1', 80)",
                "import asyncio; asyncio.new_event_loop()",
            ],
        ),
        (
            f"socket.gaierror: [Errno -4] {NETWORK}",
            [
                "import socket; socket.create_connection(('example.com', 80))",
                "import socket; socket.gethostbyname('example.com')",
                "import http.client; http.client.HTTPConnection('example.com').request('GET', '/')",
                "import smtplib; smtplib.SMTP('example.com')",
                "import asyncio; await asyncio.open_connection('example.com', 80)",
            ],
        ),
        (
            f"urllib.error.URLError: <urlopen error [Errno -4] {NETWORK}>",
            ["import urllib.request; urllib.request.urlopen('https://example.com')"],
        ),
        (f"ModuleNotFoundError: js: {JAVASCRIPT}", ["import js", "from js import document"]),
        (
            f"ModuleNotFoundError: pyodide: {JAVASCRIPT}",
            ["import pyodide", "from pyodide.ffi import to_js", "import pyodide.http"],
        ),
        (f"ModuleNotFoundError: pyodide_js: {JAVASCRIPT}", ["import pyodide_js"]),
        (f"ModuleNotFoundError: _pyodide_core: {JAVASCRIPT}", ["import _pyodide_core"]),
        (f"ModuleNotFoundError: micropip: {INSTALLED_BEFORE}", ["import micropip"]),
    ],
)
def test_it_says_why_in_the_last_line(
    shared_box: Sandbox, last_line: str, codes: list[str]
) -> None:
    result = shared_box.execute(f"CODES = {codes!r}" + ASK)
    assert result.error is None, result.error
    assert json.loads(result.stdout) == [last_line] * len(codes)


def test_what_needs_no_thread_works_without(shared_box: Sandbox) -> None:
    code = """
import concurrent.futures, multiprocessing, queue, selectors, socket, ssl, threading
lock = threading.RLock()
with lock, threading.Condition(): pass
local = threading.local(); local.x = 1
event = threading.Event(); event.set(); assert event.wait(1)
queue.Queue().put(1)
future = concurrent.futures.Future(); future.set_result(5); assert future.result() == 5
assert threading.current_thread() is threading.main_thread() and threading.active_count() == 1
socket.gethostname(), ssl.create_default_context(), multiprocessing.cpu_count()
"""
    result = shared_box.execute(code)
    assert result.error is None, result.error
