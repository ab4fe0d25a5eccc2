"""Sessions of the manager that runs beside the agent, in the same pod or on the same machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from rlm_kernel.agent.blocking import run_blocking
from rlm_kernel.agent.environment import Environment
from rlm_kernel.agent.session import ManagedSession
from rlm_kernel.agent.shown import ShownText
from rlm_kernel.errors import SessionExpired, SessionNotFound
from rlm_kernel.manager.client import ManagerClient
from rlm_kernel.settings import AgentSettings


@dataclass(frozen=True, slots=True)
class SidecarREPLFactory:
    """Makes and uses sessions of the manager at `url`, which asks for `token` where it has one.

    It holds nothing that needs closing, and may be used from any thread and any event loop. All
    methods raise the ManagerError classes.
    """

    url: str
    token: str | None = field(default=None, repr=False)

    async def create_session(self) -> str:
        """A new session's id. It lives until `destroy_session`, or the manager's SESSION_TTL."""
        async with self._client() as client:
            return (await client.create_session()).session_id

    async def execute_in_session(
        self, session_id: str, code: str, timeout: float | None = None
    ) -> ShownText:
        """Run code, after what the session runs already; `timeout` in seconds.

        An exception in the code is in the result, and so is a timeout.
        """
        async with self._client() as client:
            return ShownText.of(await client.execute(session_id, code, timeout=timeout))

    async def destroy_session(self, session_id: str) -> None:
        """End a session and whatever it runs. Raises SessionNotFound for an unknown one."""
        async with self._client() as client:
            await client.delete_session(session_id)

    def create_env(self) -> SidecarREPLEnv:
        """An environment with a session of its own."""
        return SidecarREPLEnv(self)

    async def open_environment(self) -> Environment:
        """A session for one run of `RLM_REPL`, over the kernel's own channels."""
        return await ManagedSession.open(self._client())

    def _client(self) -> ManagerClient:
        return ManagerClient(self.url, token=self.token)


class SidecarREPLEnv:
    """One session for callers that are not asynchronous. `cleanup` (or leaving `with`) ends it.

    The session is made with the object. Blocks, also inside a running event loop.
    """

    def __init__(self, factory: SidecarREPLFactory | None = None) -> None:
        self._factory = factory or create_sidecar_repl_factory()
        self._session_id = run_blocking(self._factory.create_session())

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self._session_id

    def code_execution(self, code: str, timeout: float | None = None) -> ShownText:
        """Run code in the session; what it defines is there for the next."""
        return run_blocking(self._factory.execute_in_session(self._session_id, code, timeout))

    async def cleanup(self) -> None:
        """End the session. Idempotent."""
        try:
            await self._factory.destroy_session(self._session_id)
        except (SessionNotFound, SessionExpired):
            return

    def __enter__(self) -> SidecarREPLEnv:
        return self

    def __exit__(self, *_: object) -> None:
        run_blocking(self.cleanup())


def create_sidecar_repl_factory(url: str | None = None) -> SidecarREPLFactory:
    """A factory for the manager at `url`, else WASM_MANAGER_SERVICE_URL.

    The manager's secret, where it asks for one, is RLM_KERNEL_TOKEN. Raises ConfigurationError.
    """
    settings = AgentSettings.from_environment(manager_url=url)
    token = settings.token.get_secret_value() if settings.token else None
    return SidecarREPLFactory(settings.manager_url, token)
