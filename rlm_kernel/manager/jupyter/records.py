"""Jupyter's sessions: which notebook or console uses which kernel."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from jupyter_server.services.sessions.sessionmanager import SessionManager
from tornado.web import HTTPError

from rlm_kernel.manager.jupyter.kernels import SessionKernels


@dataclass(frozen=True, slots=True)
class Record:
    """That a document uses a kernel. `started` is whether the kernel was started for it."""

    id: str
    path: str
    name: str
    type: str
    kernel_id: str
    started: bool = False


class SessionRecords(SessionManager):
    """Records of Jupyter clients, and one for each kernel that none of them is about.

    The latter make sessions that programs created visible to clients that look for kernels
    nowhere else. They have the id of the session, and are consoles: to open one means to attach.
    """

    def __init__(self, kernels: SessionKernels, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._kernels = kernels
        self._records: dict[str, Record] = {}

    async def list_sessions(self) -> list[dict[str, Any]]:
        return [self._model(record) for record in self._all()]

    async def session_exists(self, path: str) -> bool:
        return any(record.path == path for record in self._all())

    async def get_session(self, **wanted: Any) -> dict[str, Any]:
        """The model of the first that has these values. Raises HTTPError (404)."""
        names = {"session_id": "id"}
        for record in self._all():
            if all(getattr(record, names.get(key, key)) == value for key, value in wanted.items()):
                return self._model(record)
        raise HTTPError(404, f"Session not found: {wanted}")

    async def create_session(
        self,
        path: str | None = None,
        name: str | None = None,
        type: str | None = None,
        kernel_name: str | None = None,
        kernel_id: str | None = None,
    ) -> dict[str, Any]:
        """A record of a kernel that is there, or of a fresh one. Raises as `start_kernel` does."""
        started = kernel_id is None
        kernel_id = await self._kernels.start_kernel(kernel_name=kernel_name, kernel_id=kernel_id)
        record = Record(str(uuid.uuid4()), path or "", name or "", type or "", kernel_id, started)
        self._records[record.id] = record
        return self._model(record)

    async def update_session(self, session_id: str, **changes: Any) -> None:
        self._records[session_id] = replace(self.record(session_id), **changes)

    async def delete_session(self, session_id: str) -> None:
        """Ends the kernel, and with it every record of it."""
        await self._kernels.shutdown_kernel(self.record(session_id).kernel_id)

    def forget(self, session_id: str) -> None:
        """Drops a record and leaves the kernel alone."""
        record = self.record(session_id)
        self._records.pop(record.id, None)

    def is_needed(self, kernel_id: str) -> bool:
        """Whether a record of a client is about this kernel."""
        return any(record.kernel_id == kernel_id for record in self._records.values())

    def record(self, session_id: str) -> Record:
        """Raises HTTPError (404)."""
        for record in self._all():
            if record.id == session_id:
                return record
        raise HTTPError(404, f"Session not found: {session_id}")

    def _all(self) -> list[Record]:
        alive = set(self._kernels.list_kernel_ids())
        self._records = {r.id: r for r in self._records.values() if r.kernel_id in alive}
        named = {record.kernel_id for record in self._records.values()}
        others = [_of_program(id) for id in self._kernels.list_kernel_ids() if id not in named]
        return [*self._records.values(), *others]

    def _model(self, record: Record) -> dict[str, Any]:
        model: dict[str, Any] = {
            "id": record.id,
            "path": record.path,
            "name": record.name,
            "type": record.type,
            "kernel": self._kernels.kernel_model(record.kernel_id),
        }
        if record.type == "notebook":  # as clients of long ago read it
            model["notebook"] = {"path": record.path, "name": record.name}
        return model


def _of_program(kernel_id: str) -> Record:
    name = f"session {kernel_id[:8]}"
    return Record(kernel_id, name, name, "console", kernel_id)
