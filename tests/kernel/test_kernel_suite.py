"""jupyter_kernel_test, the suite that every kernel can be held against, with all that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import jupyter_kernel_test  # type: ignore[import-untyped]
import pytest

from tests.kernel.suites import install_as


@contextmanager
def kernelspec_named(name: str) -> Iterator[None]:
    with TemporaryDirectory() as prefix, pytest.MonkeyPatch.context() as environment:
        environment.setenv("JUPYTER_PATH", str(install_as(name, Path(prefix))))
        yield


class TestKernel(jupyter_kernel_test.KernelTests):  # type: ignore[misc]
    kernel_name = "suite"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples = [{"text": "zi", "matches": {"zip"}}]  # noqa: RUF012 - as the suite has it
    complete_code_samples = ["1", "print('hello, world')", "def f(x):\n  return x*2\n\n\n"]  # noqa: RUF012
    incomplete_code_samples = ["print('''hello", "def f(x):\n  x*2"]  # noqa: RUF012
    invalid_code_samples = ["import = 7q"]  # noqa: RUF012
    code_page_something = "zip?"
    code_generate_error = "raise"
    code_execute_result = [  # noqa: RUF012
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    ]
    code_display_data = [  # noqa: RUF012
        {
            "code": "from IPython.display import HTML; display(HTML('<b>x</b>'))",
            "mime": "text/html",
        },
        {"code": "from IPython.display import Math; display(Math('x'))", "mime": "text/latex"},
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"

    @classmethod
    def setUpClass(cls) -> None:
        with kernelspec_named(cls.kernel_name):
            super().setUpClass()


class TestWelcome(jupyter_kernel_test.IopubWelcomeTests):  # type: ignore[misc]
    kernel_name = "suite"
    support_iopub_welcome = True

    @classmethod
    def setUpClass(cls) -> None:
        with kernelspec_named(cls.kernel_name):
            super().setUpClass()
