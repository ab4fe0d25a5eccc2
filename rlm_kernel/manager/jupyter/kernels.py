"""Sessions as Jupyter Server's handlers see them: kernels of a kernel manager."""

from __future__ import annotations

from typing import Any

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_server.services.kernels.kernelmanager import (
    AsyncMappingKernelManager,
    ServerKernelManager,
)
from tornado.web import HTTPError

from rlm_kernel.errors import SessionExpired, SessionNotFound
from rlm_kernel.kernel.kernelspec import NAME
from rlm_kernel.manager.jupyter.peers import Peers
from rlm_kernel.manager.registry import Manager
from rlm_kernel.manager.session import ManagedSession
from rlm_kernel.manager.wire import timestamp


class SessionKernel(ServerKernelManager):
    """One session; it is made for whoever asks, and holds nothing but the session."""

    def __init__(self, managed: ManagedSession, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.managed = managed
        self.kernel_id = managed.id
        self.kernel_name = NAME


class SessionKernels(AsyncMappingKernelManager):
    """The manager's sessions. What starts, restarts or ends here does so there.

    Raises HTTPError (404) for a kernel that is not there, however it went.
    """

    def __init__(self, sessions: Manager, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.sessions = sessions
        self.default_kernel_name = NAME
        self.peers = Peers()

    def __contains__(self, kernel_id: object) -> bool:
        return any(session.id == kernel_id for session in self.sessions.sessions())

    def __len__(self) -> int:
        return len(self.sessions)

    def list_kernel_ids(self) -> list[str]:
        return [session.id for session in self.sessions.sessions()]

    def list_kernels(self) -> list[dict[str, Any]]:
        return [_model(session) for session in self.sessions.sessions()]

    def kernel_model(self, kernel_id: str) -> dict[str, Any]:
        return _model(self.session(kernel_id))

    def get_kernel(self, kernel_id: str) -> SessionKernel:
        return SessionKernel(self.session(kernel_id), parent=self)

    def session(self, kernel_id: str) -> ManagedSession:
        try:
            return self.sessions.get(kernel_id)
        except (SessionNotFound, SessionExpired) as error:
            # 410 is not among what Jupyter's clients take for a kernel's end.
            raise HTTPError(404, str(error)) from error

    async def start_kernel(  # type: ignore[override]
        self, *, kernel_name: str | None = None, kernel_id: str | None = None, **_: Any
    ) -> str:
        """The id of a fresh session's kernel, or of the one that is asked for and there.

        Raises NoSuchKernel for any kernelspec but ours, and what `Manager.create` raises.
        """
        if kernel_id is not None:
            return self.session(kernel_id).id
        if kernel_name not in (None, "", NAME):
            raise NoSuchKernel(kernel_name)
        return (await self.sessions.create()).id

    async def shutdown_kernel(  # type: ignore[override]
        self, kernel_id: str, now: bool = False, restart: bool = False
    ) -> None:
        await self.sessions.delete(self.session(kernel_id).id)

    async def restart_kernel(self, kernel_id: str, now: bool = False) -> None:  # type: ignore[override]
        await self.session(kernel_id).restart()

    async def interrupt_kernel(self, kernel_id: str) -> None:  # type: ignore[override]
        self.session(kernel_id).interrupt()


def _model(session: ManagedSession) -> dict[str, Any]:
    return {
        "id": session.id,
        "name": NAME,
        "last_activity": timestamp(session.last_activity),
        "execution_state": session.status,
        "connections": session.attached,
    }
