"""Spans of OpenTelemetry, where the program that this runs in has set up its SDK.

Nothing of OpenTelemetry is imported before somebody else has: that alone would take longer than a
session does to start, and most run without it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

from rlm_kernel import __version__

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

Value = str | int | float | bool

_NAME = "rlm_kernel"


class Attributes(Protocol):
    """What takes the attributes of a span, if there is one."""

    def set_attribute(self, key: str, value: Value) -> None: ...


class _NoSpan:
    def set_attribute(self, key: str, value: Value) -> None:
        pass


_NOWHERE: AbstractContextManager[Attributes] = nullcontext(_NoSpan())


def span(name: str, **attributes: Value) -> AbstractContextManager[Attributes]:
    """A span around what is done inside; `session_id="x"` becomes `rlm_kernel.session_id`."""
    tracer = current_tracer()
    if tracer is None:
        return _NOWHERE
    return tracer.start_as_current_span(name, attributes=_named(attributes))


def carry(headers: MutableMapping[str, str]) -> None:
    """Has a request name the span that it is sent in (W3C's `traceparent`)."""
    if current_tracer() is not None:
        from opentelemetry import propagate

        propagate.inject(headers)


class RequestSpan:
    """The span of a request that is answered here, which its client's span is the parent of.

    It is the current one, for what the task starts that began it, until the next one begins.
    """

    def __init__(self, span: Span | None) -> None:
        self._span = span

    @classmethod
    def begin(cls, method: str, path: str, headers: Mapping[str, str], peer: str) -> RequestSpan:
        tracer = current_tracer()
        if tracer is None:
            return NO_REQUEST_SPAN
        from opentelemetry import context, propagate, trace

        parent = propagate.extract(headers, context.Context())
        begun = tracer.start_span(method, parent, trace.SpanKind.SERVER)
        begun.set_attribute("http.request.method", method)
        begun.set_attribute("url.path", path)
        begun.set_attribute("client.address", peer)
        context.attach(trace.set_span_in_context(begun, parent))
        return cls(begun)

    def answered(self, method: str, route: str, status: int) -> None:
        """Ends it. Idempotent."""
        if self._span is not None:
            self._span.update_name(f"{method} {route}")
            self._span.set_attribute("http.route", route)
            self._span.set_attribute("http.response.status_code", status)
            self.let_go(failed=status >= 500)

    def let_go(self, *, failed: bool) -> None:
        """Ends it where that was not done: nobody gets an answer, or it is a WebSocket now."""
        ended, self._span = self._span, None
        if ended is not None:
            if failed:
                from opentelemetry.trace import StatusCode

                ended.set_status(StatusCode.ERROR)
            ended.end()


NO_REQUEST_SPAN = RequestSpan(None)


def current_tracer() -> Tracer | None:
    """Whose spans somebody sees; None where nobody would see the spans."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    tracer: Tracer = provider.get_tracer(_NAME, __version__)
    return tracer


def _named(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {f"{_NAME}.{name}": value for name, value in attributes.items()}
