"""Sessions of the manager that runs beside the agent, in the same pod or on the same machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from rlm_kernel.agent.blocking import run_blocking
from rlm_kernel.agent.managers import ClaimOptions, Cluster, Managers, Seat, managers_at
from rlm_kernel.agent.session.hosted_session import HostedSession
from rlm_kernel.agent.session.session import ManagedSession
from rlm_kernel.agent.shown import ShownText
from rlm_kernel.errors import SessionExpired, SessionNotFound
from rlm_kernel.settings import AgentSettings


@dataclass(frozen=True, slots=True)
class SidecarREPLFactory:
    """Makes and uses sessions of the manager at `url`, which asks for `token` where it has one.

    `url` may say more than one manager, as WASM_MANAGER_SERVICE_URL may; `managers` says by
    themselves which there are. A session stays with the manager that it was made on.

    The factory may be used from any thread and any event loop. It holds nothing that needs closing,
    but where pods are claimed for its sessions. All methods raise the ManagerError classes.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    managers: Managers | None = field(default=None, repr=False, compare=False)
    _managers: Managers = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        managers = self.managers or managers_at(self.url, self.token)
        object.__setattr__(self, "_managers", managers)

    async def create_session(self) -> str:
        """A new session's id. It lives until `destroy_session`, or the manager's SESSION_TTL."""
        return await self._managers.place(self._create)

    async def execute_in_session(
        self, session_id: str, code: str, timeout: float | None = None
    ) -> ShownText:
        """Run code, after what the session runs already; `timeout` in seconds.

        An exception in the code is in the result, and so is a timeout.
        """
        seat = await self._managers.seat_of(session_id)
        async with seat.client() as client:
            return ShownText.of(await client.execute(session_id, code, timeout=timeout))

    async def destroy_session(self, session_id: str) -> None:
        """End a session and whatever it runs. Raises SessionNotFound for an unknown one."""
        seat = await self._managers.seat_of(session_id)
        try:
            async with seat.client() as client:
                await client.delete_session(session_id)
        finally:
            await self._managers.release(session_id)

    def create_env(self) -> SidecarREPLEnv:
        """An environment with a session of its own."""
        return SidecarREPLEnv(self)

    async def open_environment(self) -> ManagedSession:
        """A session for one run of `RLM_REPL`, over the kernel's own channels."""
        return await self._managers.place(_open)

    async def ready(self) -> None:
        """Return once a manager has shown that it can run code. Raises NotReady where none can."""
        await self._managers.ready()

    async def close(self) -> None:
        """Give claimed pods back, with the sessions on them. Idempotent."""
        await self._managers.close()

    async def _create(self, seat: Seat) -> str:
        async with seat.client() as client:
            session_id = (await client.create_session()).session_id
        await self._managers.settle(session_id, seat)
        return session_id


async def _open(seat: Seat) -> ManagedSession:
    return await ManagedSession.open(HostedSession(seat.client), seat.leave)


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
    """A factory for the manager at `url`, or one of several, else WASM_MANAGER_SERVICE_URL.

    The managers' secret, where they ask for one, is RLM_KERNEL_TOKEN. Raises ConfigurationError.
    """
    return factory_for(AgentSettings.from_environment(manager_url=url))


def factory_for(settings: AgentSettings) -> SidecarREPLFactory:
    """A factory for the managers that the settings say. Raises ConfigurationError."""
    token = settings.token.get_secret_value() if settings.token else None
    managers = managers_at(
        settings.manager_url,
        token,
        cluster=Cluster(settings.cluster_url, settings.cluster_account),
        claims=ClaimOptions(settings.claim_sessions, settings.claim_patience, settings.claim_life),
    )
    return SidecarREPLFactory(settings.manager_url, token, managers)
