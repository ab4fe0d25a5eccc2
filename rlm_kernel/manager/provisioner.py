"""A kernel provisioner: what Jupyter's own tools start is a session of a manager."""

from __future__ import annotations

import signal
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Bool, Unicode

from rlm_kernel.errors import ManagerError, SessionExpired, SessionNotFound
from rlm_kernel.manager.client import ManagerClient
from rlm_kernel.settings import AgentSettings

GONE = (SessionNotFound, SessionExpired)
FATAL = frozenset({signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT})


class ManagerProvisioner(KernelProvisionerBase):
    """Starts, interrupts, restarts and ends a session over the manager's HTTP interface.

    A kernel manager sends its shutdown request to the kernel itself, and calls this before it is
    answered. So the session is created as one that such requests do not end, and what they ask for
    is done here: an end in `cleanup`, a restart, in place and with the same ports, in the next
    `launch_kernel`. Each call uses a client of its own, since a blocking kernel manager brings a
    new event loop with each.
    """

    manager_url = Unicode(
        "", help="Base URL of the manager; empty takes WASM_MANAGER_SERVICE_URL."
    ).tag(config=True)
    detach = Bool(
        False, help="Whether the session lives on, and its cell runs on, after a shutdown."
    ).tag(config=True)

    session_id: str | None = None
    _running = False
    _ending = False

    @property
    def has_process(self) -> bool:
        return self._running

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """The session's connection. Raises ManagerUnavailable, TooManySessions and their like."""
        async with self._client() as client:
            fresh = self.session_id is None or not await self._restarted(client)
            if fresh:
                self.session_id = (await client.create_session(owned=True)).session_id
            try:
                self.connection_info = await self._connection(client)
            except BaseException:
                await self._delete(client)
                raise
        self._running, self._ending = True, False
        return self.connection_info

    async def poll(self) -> int | None:
        """None while the session lives; why it does not is logged."""
        if not self._running or self._ending:
            return 0
        try:
            async with self._client() as client:
                await client.session(self._known_id())
        except ManagerError as error:
            self.log.error("the kernel's session cannot be used any more: %s", error)
            return 1
        return None

    async def wait(self) -> int | None:
        self._running = False
        return 0

    async def send_signal(self, signum: int) -> None:
        """SIGINT interrupts the running cell. Raises what the manager answers.

        A kernel manager also sends one first of all when it shuts a kernel down; that is left out,
        since the cell ends with its session or is to go on.
        """
        if signum in FATAL:
            self._ending = True
        elif signum == signal.SIGINT and not self._shutting_down:
            async with self._client() as client:
                await client.interrupt(self._known_id())

    async def kill(self, restart: bool = False) -> None:
        self._ending = True

    async def terminate(self, restart: bool = False) -> None:
        self._ending = True

    async def shutdown_requested(self, restart: bool = False) -> None:
        self._ending = True

    async def cleanup(self, restart: bool = False) -> None:
        """Destroys the session, unless it is to be restarted or detached from."""
        self._running = False
        if restart or self.session_id is None:
            return
        if self.detach:
            self.log.info("detached from session %s, which lives on", self.session_id)
        else:
            async with self._client() as client:
                await self._delete(client)
        self.session_id = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Nothing of the environment or the command reaches the session."""
        return await super().pre_launch(cmd=[], **kwargs)

    async def get_provisioner_info(self) -> dict[str, Any]:
        return {**await super().get_provisioner_info(), "session_id": self.session_id}

    async def load_provisioner_info(self, provisioner_info: dict[str, Any]) -> None:
        await super().load_provisioner_info(provisioner_info)
        self.session_id = provisioner_info["session_id"]
        self._running = self.session_id is not None

    @property
    def _shutting_down(self) -> bool:
        return bool(getattr(self.parent, "shutting_down", False))

    def _known_id(self) -> str:
        if self.session_id is None:
            raise SessionNotFound("the kernel has no session")
        return self.session_id

    def _client(self) -> ManagerClient:
        settings = AgentSettings.from_environment(manager_url=self.manager_url or None)
        token = settings.token
        return ManagerClient(
            settings.must_name_one_manager(),
            token=None if token is None else token.get_secret_value(),
        )

    async def _restarted(self, client: ManagerClient) -> bool:
        """Whether the session could be restarted; one that is gone cannot."""
        try:
            await client.restart(self._known_id())
        except GONE as error:
            self.log.warning("the kernel gets a new session: %s", error)
            return False
        return True

    async def _connection(self, client: ManagerClient) -> KernelConnectionInfo:
        info = await client.connection(self._known_id())
        return cast(KernelConnectionInfo, {**info, "key": info["key"].encode()})

    async def _delete(self, client: ManagerClient) -> None:
        """A session that cannot be told to end now ends when it has been idle for long."""
        try:
            await client.delete_session(self._known_id())
        except GONE:
            return
        except ManagerError as error:
            self.log.warning("session %s was left behind: %s", self.session_id, error)
