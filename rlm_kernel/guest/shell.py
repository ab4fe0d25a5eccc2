"""The shell of a session: IPython, with its output turned into events."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from IPython.core import page
from IPython.core.autocall import ZMQExitAutocall
from IPython.core.error import UsageError
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.payload import PayloadManager
from IPython.core.payloadpage import page as payload_page
from traitlets import Instance, TraitError, Type, default
from traitlets.config import Config

from rlm_kernel.guest import magics
from rlm_kernel.guest.bundles import shortened
from rlm_kernel.guest.display import EventPublisher, ResultHook
from rlm_kernel.guest.events import Events
from rlm_kernel.guest.kernel import KernelHandle
from rlm_kernel.guest.plain_cells import CellTransformer
from rlm_kernel.guest.reserve import Reserve
from rlm_kernel.guest.stack import Stack, cut_own_end

ERROR_TEXT_MAX = 1 << 16
TRACEBACK_MAX = 1 << 18
"""Characters of an error's text, and of its traceback, that are told; the rest is cut."""


ALLOW_INCOMPLETE_INPUT = 0x4000
"""What code that ends too early is compiled with at a prompt which can go on to a next line: the
error then has a name of its own. Source: PyCF_ALLOW_INCOMPLETE_INPUT in CPython's codeop."""


class SessionHistory(HistoryManager):
    """IPython's, with the latest inputs in plain attributes: traits check what each cell sets."""

    _i = _ii = _iii = _i00 = ""


class SessionShell(InteractiveShell):
    """An IPython that keeps no files of its own and starts no threads.

    `interrupted` is set while an interrupt cancels the running cell; `ended` once the cell's own
    code is over and only its error is left to be shown; `last_error` is the content of the last
    error shown, `result_error` of one that came while the cell's result was being shown.
    """

    displayhook_class = Type(ResultHook)
    display_pub_class = Type(EventPublisher)
    input_transformer_manager = Instance(CellTransformer, ())
    extension_manager: Any
    history_manager: Any
    payload_manager: PayloadManager

    emitter: Events
    kernel: KernelHandle
    reserve: Reserve
    keepkernel_on_exit = False
    # Plain attributes, as each cell sets them: traits check, compare and announce that.
    _count = 1
    last_execution_succeeded: bool = True
    last_execution_result: Any = None
    interrupted = False
    ended = False
    last_error: dict[str, Any] | None = None
    result_error: dict[str, Any] | None = None

    @classmethod
    def create(cls, events: Events, reserve: Reserve) -> SessionShell:
        config = Config()
        config.HistoryManager.hist_file = ":memory:"  # which also needs no thread
        config.HistoryManager.db_log_output = True
        cls.reserve = reserve
        ResultHook.events = EventPublisher.events = cls.emitter = events
        shell: SessionShell = cls.instance(config=config)
        shell.kernel = KernelHandle(events)
        shell.compile.flags &= ~ALLOW_INCOMPLETE_INPUT
        shell.extension_manager.load_extension("storemagic")
        return shell

    @property
    def execution_count(self) -> int:
        """The number of the next cell."""
        return self._count

    @execution_count.setter
    def execution_count(self, count: int) -> None:
        # Here, where its mistake is: the owner ends a session that says anything but a number.
        if not isinstance(count, int):
            raise TraitError(f"execution_count must be an int, not {type(count).__name__}")
        self._count = count

    @property
    def parent_header(self) -> dict[str, Any]:
        """The message that is being served, by ipykernel's name for it."""
        return self.kernel.get_parent()

    def init_hooks(self) -> None:
        super().init_hooks()
        self.set_hook("show_in_pager", page.as_hook(payload_page), 99)

    def init_history(self) -> None:
        self.history_manager = SessionHistory(shell=self, parent=self)
        self.configurables.append(self.history_manager)

    def init_virtualenv(self) -> None:
        """There is none."""

    def init_sys_modules(self) -> None:
        """`__main__` is the user's module, so that what cells define can be pickled."""
        super().init_sys_modules()
        sys.modules["__main__"] = self.user_module

    @default("exiter")
    def _default_exiter(self) -> ZMQExitAutocall:
        return ZMQExitAutocall(self)

    def ask_exit(self) -> None:
        keep = self.keepkernel_on_exit
        self.payload_manager.write_payload({"source": "ask_exit", "keepkernel": keep})

    def set_next_input(self, text: str, replace: bool = False) -> None:
        payload = {"source": "set_next_input", "text": text, "replace": replace}
        self.payload_manager.write_payload(payload)

    def init_magics(self) -> None:
        super().init_magics()
        magics.register(self)

    def should_run_async(
        self,
        raw_cell: str,
        *,
        transformed_cell: str | None = None,
        preprocessing_exc_tuple: Any = None,
    ) -> bool:
        """IPython compiles every cell to find out."""
        code = transformed_cell
        if code is not None and "await" not in code and "async" not in code:
            return False
        asynchronous: bool = super().should_run_async(
            raw_cell,
            transformed_cell=transformed_cell,
            preprocessing_exc_tuple=preprocessing_exc_tuple,
        )
        return asynchronous

    def _tee(self, channel: str) -> Any:
        """Keeps no second copy of what a cell prints, which has no end."""
        return nullcontext()

    def enable_gui(self, gui: str | None = None) -> None:
        """Accepts what needs no window, such as matplotlib's inline figures."""
        if gui not in (None, "inline"):
            raise UsageError(f"there is no screen in this sandbox, so no event loop of {gui}")

    def system(self, cmd: str) -> None:
        sys.stderr.write(f"{magics.refusal(cmd)}\n")
        self.user_ns["_exit_code"] = 127

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        raise UsageError(magics.refusal(cmd))

    def showtraceback(self, *arguments: Any, **options: Any) -> None:
        self.reserve.release_for(sys.exception())
        if not Stack(sys._getframe()).uses(self.user_ns):
            self.ended = True
        super().showtraceback(*arguments, **options)

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        etype, evalue, traceback = super()._get_exc_info(exc_tuple)
        if issubclass(etype, KeyboardInterrupt):
            cut_own_end(traceback)
        return etype, evalue, traceback

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        if self.interrupted and etype is asyncio.CancelledError:
            etype, evalue, stb = KeyboardInterrupt, KeyboardInterrupt(), ["KeyboardInterrupt"]
        self.last_error = content_of(evalue, stb)
        self.emitter.emit("error", self.last_error)


def content_of(error: BaseException, traceback: Sequence[str] = ()) -> dict[str, Any]:
    """What a message says about an error. What is too long is cut and says so."""
    evalue = shortened(text_of(error), ERROR_TEXT_MAX)
    return {"ename": type(error).__name__, "evalue": evalue, "traceback": _capped(traceback)}


def exit_status(error: SystemExit) -> int | None:
    """The status that Python would end with; None where it would print a last word."""
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else None


def _capped(lines: Sequence[str]) -> list[str]:
    left = TRACEBACK_MAX
    kept: list[str] = []
    for line in lines:
        if left <= 0:
            return [*kept, f"... [cut: {len(lines) - len(kept)} more parts]"]
        kept.append(shortened(line, left))
        left -= len(line)
    return kept


def text_of(error: BaseException) -> str:
    """`str(error)`, also where the error's own `__str__` fails."""
    try:
        return str(error)
    except Exception:
        return f"<{type(error).__name__} without a readable message>"
