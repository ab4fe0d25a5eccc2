"""Errors in the form that Jupyter's clients read."""

from __future__ import annotations

import json
from http.client import responses
from types import TracebackType
from typing import Any

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError

from rlm_kernel.errors import RLMKernelError
from rlm_kernel.http.faults import retry_after_of, status_of


class Faults(JupyterHandler):
    """Comes before Jupyter's own class: errors of the manager keep their status and their text."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        if isinstance(error, RLMKernelError):
            self.set_status(status_of(error))
        elif isinstance(error, NoSuchKernel):
            self.set_status(501)
        if retry_after := retry_after_of(error):
            self.set_header("Retry-After", retry_after)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"message": _text(error, status_code), "reason": _reason(error)}))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if not isinstance(value, RLMKernelError | NoSuchKernel):
            super().log_exception(typ, value, tb)


def _text(error: BaseException | None, status: int) -> str:
    if isinstance(error, NoSuchKernel):
        return f"there is no kernel {error.name!r} here"
    if isinstance(error, RLMKernelError):
        return str(error)
    if isinstance(error, HTTPError) and error.log_message:
        return error.log_message % error.args if error.args else error.log_message
    return responses.get(status, "Unknown HTTP Error")


def _reason(error: BaseException | None) -> str | None:
    return error.code if isinstance(error, RLMKernelError) else getattr(error, "reason", None)
