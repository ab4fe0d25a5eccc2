"""CPython, booted: the program, its files, and a way to run code in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import wasmtime

from rlm_kernel.emscripten.descriptors import O_RDONLY, O_WRONLY, Descriptors, OpenFile
from rlm_kernel.emscripten.devices import (
    FullDriver,
    NullDriver,
    OutputDriver,
    RandomDriver,
    ZeroDriver,
)
from rlm_kernel.emscripten.linking import Library
from rlm_kernel.emscripten.nodes import Device, Driver
from rlm_kernel.emscripten.program import Program
from rlm_kernel.errors import ZygoteError
from rlm_kernel.pyodide.foreign_functions import foreign_functions
from rlm_kernel.pyodide.layers import SITE_PACKAGES
from rlm_kernel.pyodide.signals import WORD, Signals
from rlm_kernel.pyodide.trampoline import install_trampoline

HOME = "/home/user"
FOLDERS = (HOME, SITE_PACKAGES, "/tmp", "/usr/bin", "/dev")

ENVIRONMENT = {
    "HOME": HOME,
    "USER": "user",
    "LOGNAME": "user",
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin",
    "TMPDIR": "/tmp",
    "TERM": "xterm-256color",
}
"""All that the guest sees of an environment; nothing of the host's."""


PLAIN_DEVICES: Mapping[str, Driver] = {
    "full": FullDriver(),
    "random": RandomDriver(),
    "urandom": RandomDriver(),
    "zero": ZeroDriver(),
}


class Interpreter:
    """One CPython. `image` maps absolute paths to files that the guest finds in its file system,
    the standard library among them; `libraries` are those of these files that can be loaded.

    Descriptor 0 is empty; 1 and 2 go to the host's standard error until the guest takes
    them for itself. `devices` adds drivers under `/dev`.
    """

    def __init__(
        self,
        engine: wasmtime.Engine,
        module: wasmtime.Module,
        *,
        image: Mapping[str, bytes | memoryview],
        memory_limit: int,
        devices: Mapping[str, Driver],
        sleep: Callable[[float | None], None],
        open_files: int = 1024,
        libraries: Iterable[Library] = (),
    ) -> None:
        self.program = Program(
            engine,
            module,
            memory_limit=memory_limit,
            environment=ENVIRONMENT,
            sleep=sleep,
            descriptors=Descriptors(open_files),
            groups=self._groups,
            libraries=libraries,
        )
        self.signals.attach(self.program.exports.address(WORD))
        self._attach_stack()
        self._furnish(image, devices)
        install_trampoline(self.program, engine)
        self._start()

    def _groups(self, program: Program) -> tuple[object, ...]:
        self.signals = Signals(program.memory)
        return (self.signals, *foreign_functions(program))

    def _attach_stack(self) -> None:
        program = self.program
        pointer = program.exports.variable("__stack_pointer")
        program.stack.attach(pointer, program.call("emscripten_stack_get_end"))

    def _furnish(
        self,
        image: Mapping[str, bytes | memoryview],
        devices: Mapping[str, Driver],
    ) -> None:
        filesystem = self.program.filesystem
        for folder in FOLDERS:
            filesystem.make_directories(folder)
        filesystem.add_image({"/usr/bin/python": b"", **image})
        self.program.files.chdir_to(HOME)
        null, output = Device(NullDriver()), Device(OutputDriver(2))
        nodes = {"null": null, "stdin": null}
        nodes |= {name: Device(driver) for name, driver in PLAIN_DEVICES.items()}
        nodes |= {name: Device(driver) for name, driver in devices.items()}
        dev = filesystem.make_directories("/dev")
        for name, node in nodes.items():
            filesystem.attach(dev, name, node)
        for node, flags in ((null, O_RDONLY), (output, O_WRONLY), (output, O_WRONLY)):
            self.program.descriptors.add(OpenFile(node, flags))

    def _start(self) -> None:
        program = self.program
        name = program.string("/usr/bin/python")
        arguments = program.string("\0" * 8)
        program.memory.write_u32(arguments, name)
        status = program.call("__main_argc_argv", 1, arguments)
        if status != 0:
            raise ZygoteError(f"Python did not start: status {status}")

    def run(self, source: str) -> int:
        """Runs statements in `__main__`: 0, or -1 after an exception, printed to stderr."""
        address = self.program.string(source)
        status: int = self.program.call("PyRun_SimpleStringFlags", address, 0)
        self.program.call("free", address)
        return status
