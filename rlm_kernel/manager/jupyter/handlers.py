"""The routes of Jupyter Server that a manager has."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Any, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, APIVersionHandler
from jupyter_server.kernelspecs.handlers import KernelSpecResourceHandler
from jupyter_server.kernelspecs.handlers import default_handlers as kernelspec_files
from jupyter_server.services.api.handlers import IdentityHandler
from jupyter_server.services.kernels import handlers as kernels
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from jupyter_server.services.kernelspecs.handlers import default_handlers as kernelspecs
from jupyter_server.services.sessions import handlers as sessions
from tornado.web import HTTPError, RequestHandler, authenticated
from tornado.websocket import WebSocketProtocol, WebSocketProtocol13

from rlm_kernel.manager.jupyter.faults import Faults
from rlm_kernel.manager.jupyter.identity import visitor_of
from rlm_kernel.manager.jupyter.kernels import SessionKernels
from rlm_kernel.manager.jupyter.records import SessionRecords
from rlm_kernel.manager.wire import timestamp


class AllKernels(Faults, kernels.MainKernelHandler):
    """`/api/kernels`"""

    @authenticated
    @authorized
    async def post(self) -> None:
        visitor_of(self).must_own("starting a kernel")
        await cast(Awaitable[None], super().post())


class OneKernel(Faults, kernels.KernelHandler):
    """`/api/kernels/{id}`"""

    @authenticated
    @authorized
    async def delete(self, kernel_id: str) -> None:
        """Ends the kernel for an owner; for those who are attached nothing ends."""
        _kernels(self).session(kernel_id)
        if visitor_of(self).is_owner:
            await _kernels(self).shutdown_kernel(kernel_id)
        self.set_status(204)
        self.finish()


class KernelAction(Faults, kernels.KernelActionHandler):
    """`/api/kernels/{id}/interrupt` and `.../restart`"""


class KernelSocket(Faults, KernelWebsocketHandler):
    """`/api/kernels/{id}/channels`"""

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Jupyter Server's pings are its own, and in milliseconds, which tornado takes for its."""
        protocol: WebSocketProtocol | None = super().get_websocket_protocol()
        if isinstance(protocol, WebSocketProtocol13):
            protocol.params.ping_interval = None
        return protocol


class SpecFile(Faults, KernelSpecResourceHandler):
    """`/kernelspecs/{name}/{file}`; Jupyter Server's own makes a page of what goes wrong."""


class AllSessions(Faults, sessions.SessionRootHandler):
    """`/api/sessions`"""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Jupyter Server's own makes a 500 of all that can go wrong."""
        model = _body(self)
        records = cast(SessionRecords, self.session_manager)
        if await records.session_exists(model["path"]):
            session = await records.get_session(path=model["path"])
        else:
            kernel = model.get("kernel") or {}
            if not kernel.get("id"):
                visitor_of(self).must_own("starting a kernel")
            session = await records.create_session(
                path=model["path"],
                name=model.get("name"),
                type=model["type"],
                kernel_name=kernel.get("name"),
                kernel_id=kernel.get("id"),
            )
        self.set_status(201)
        self.set_header("Location", f"/api/sessions/{session['id']}")
        self.finish(json.dumps(session))


class OneSession(Faults, sessions.SessionHandler):
    """`/api/sessions/{id}`"""

    @authenticated
    @authorized
    async def patch(self, session_id: str) -> None:
        """Jupyter Server's own ends the kernel that was used before, whoever started it."""
        model = self.get_json_body()
        if not isinstance(model, dict):
            raise HTTPError(400, "the body is not a JSON object")
        records = cast(SessionRecords, self.session_manager)
        before = records.record(session_id)
        changes: dict[str, Any] = {
            key: model[key] for key in ("path", "name", "type") if key in model
        }
        if kernel := model.get("kernel"):
            changes["kernel_id"] = await self._kernel(kernel)
            changes["started"] = not kernel.get("id")
        await records.update_session(session_id, **changes)
        unneeded = before.started and not records.is_needed(before.kernel_id)
        if unneeded and visitor_of(self).is_owner:
            await _kernels(self).shutdown_kernel(before.kernel_id)
        self.finish(json.dumps(await records.get_session(session_id=session_id)))

    @authenticated
    @authorized
    async def delete(self, session_id: str) -> None:
        """Ends the kernel for an owner; for others the document merely leaves it."""
        records = cast(SessionRecords, self.session_manager)
        if visitor_of(self).is_owner:
            await records.delete_session(session_id)
        else:
            records.forget(session_id)
        self.set_status(204)
        self.finish()

    async def _kernel(self, asked: dict[str, Any]) -> str:
        if not asked.get("id"):
            visitor_of(self).must_own("starting a kernel")
        return await _kernels(self).start_kernel(
            kernel_name=asked.get("name"), kernel_id=asked.get("id")
        )


class Status(Faults, APIHandler):
    """`/api/status`"""

    auth_resource = "api"
    _track_activity = False

    @authenticated
    @authorized
    def get(self) -> None:
        models = _kernels(self).list_kernels()
        started = timestamp(self.settings["started"])
        self.finish(
            json.dumps(
                {
                    "started": started,
                    "last_activity": max((m["last_activity"] for m in models), default=started),
                    "kernels": len(models),
                    "connections": sum(model["connections"] for model in models),
                }
            )
        )


def _kernels(handler: APIHandler) -> SessionKernels:
    return cast(SessionKernels, handler.kernel_manager)


def _body(handler: APIHandler) -> dict[str, Any]:
    model = handler.get_json_body()
    if not isinstance(model, dict):
        raise HTTPError(400, "the body is not a JSON object")
    for name in ("path", "type"):
        if not isinstance(model.get(name), str):
            raise HTTPError(400, f"Missing field in JSON data: {name}")
    if not isinstance(model.get("kernel") or {}, dict):
        raise HTTPError(400, "kernel is not an object")
    return model


_ID = r"(?P<{}>\w+-\w+-\w+-\w+-\w+)"
_KERNEL = "/api/kernels/" + _ID.format("kernel_id")

ROUTES: list[tuple[str, type[RequestHandler]]] = [
    (r"/api/?", APIVersionHandler),
    (r"/api/status", Status),
    (r"/api/me", IdentityHandler),
    (r"/api/kernels", AllKernels),
    (_KERNEL, OneKernel),
    (rf"{_KERNEL}/(?P<action>restart|interrupt)", KernelAction),
    (rf"{_KERNEL}/channels", KernelSocket),
    (r"/api/sessions", AllSessions),
    ("/api/sessions/" + _ID.format("session_id"), OneSession),
    *kernelspecs,
    *((path, SpecFile) for path, _ in kernelspec_files),
]
