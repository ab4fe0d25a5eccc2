"""Sessions: create, fork, look at, list, destroy, interrupt, restart, attach to."""

from __future__ import annotations

import json
from collections.abc import Awaitable

from rlm_kernel import errors, log_fields
from rlm_kernel.http.body import read_body
from rlm_kernel.http.operation import (
    JSON,
    NOTHING,
    Operation,
    by_method,
    json_answer,
)
from rlm_kernel.manager.handlers.base import IN_SESSION, IN_TURN, Handler
from rlm_kernel.manager.session import ManagedSession
from rlm_kernel.manager.wire import (
    Deleted,
    ForkRequest,
    JupyterConnection,
    ReplayedMessages,
    SessionDetails,
    SessionInfo,
    SessionList,
    SessionRequest,
)


class Creation(Handler):
    """Answers with a new session."""

    async def begin(self, creating: Awaitable[ManagedSession]) -> None:
        session = await creating
        log_fields.bind(session_id=session.id)
        if self.client_gone:
            # Nobody learns its id, so nobody would ever delete it.
            await self.services.manager.delete(session.id)
            return
        self.answer(session.info(), 201)


class NewSession(Creation):
    """`/session`"""

    owners = frozenset({"POST"})
    operations = by_method(
        POST=Operation(
            "create_session",
            "Create a session",
            json_answer(SessionInfo, 201),
            (errors.TooManySessions, errors.NotReady, errors.ZygoteError, errors.FetchError),
            body={JSON: SessionRequest},
            body_required=False,
        )
    )

    async def post(self) -> None:
        request = read_body(SessionRequest, self.body) if self.body else SessionRequest()
        await self.begin(self.services.manager.create(owned=request.owned))


class Fork(Creation):
    """`/session/{id}/fork`. The copy is made in the request's turn: after the cells before it.

    Where the request says so, a cell that waits for an answer is not waited for.
    """

    owners = frozenset({"POST"})
    operations = by_method(
        POST=Operation(
            "fork_session",
            "Make a live copy of a session, after the cells before it",
            json_answer(SessionInfo, 201),
            (*IN_TURN, errors.ForkFailed, errors.TooManySessions, errors.NotReady),
            body={JSON: ForkRequest},
            body_required=False,
        )
    )

    async def post(self, session_id: str) -> None:
        request = read_body(ForkRequest, self.body) if self.body else ForkRequest()
        fork = self.services.manager.fork(
            session_id, owned=request.owned, mid_cell=request.mid_cell
        )
        await self.begin(fork)


class OneSession(Handler):
    """`/session/{id}`. Whoever is merely attached deletes nothing, and detaches by that."""

    operations = by_method(
        GET=Operation(
            "session", "What a session is and uses", json_answer(SessionDetails), IN_SESSION
        ),
        DELETE=Operation(
            "delete_session",
            "Destroy a session; with an attach token nothing but leave it",
            NOTHING,
            IN_SESSION,
        ),
    )

    async def get(self, session_id: str) -> None:
        self.answer(await self.services.manager.get(session_id).details())

    async def delete(self, session_id: str) -> None:
        if self.visitor.is_owner:
            await self.services.manager.delete(session_id)
        else:
            self.services.manager.get(session_id)
        self.answer_nothing()


class AllSessions(Handler):
    """`/sessions`"""

    owners = frozenset({"DELETE"})
    operations = by_method(
        GET=Operation("list_sessions", "The living sessions", json_answer(SessionList)),
        DELETE=Operation("delete_all", "Destroy every session", json_answer(Deleted)),
    )

    async def get(self) -> None:
        manager = self.services.manager
        details = [await session.details() for session in manager.sessions()]
        self.answer(SessionList(sessions=details, max_sessions=manager.max_sessions))

    async def delete(self) -> None:
        self.answer(Deleted(deleted=await self.services.manager.delete_all()))


class Interrupt(Handler):
    """`/session/{id}/interrupt`"""

    operations = by_method(
        POST=Operation(
            "interrupt", "Raise KeyboardInterrupt in the cell that runs", NOTHING, IN_SESSION
        )
    )

    def post(self, session_id: str) -> None:
        self.services.manager.get(session_id).interrupt()
        self.answer_nothing()


class Restart(Handler):
    """`/session/{id}/restart`"""

    operations = by_method(
        POST=Operation(
            "restart",
            "Begin anew, without variables and files; whoever is attached stays so",
            NOTHING,
            (*IN_SESSION, errors.ZygoteError),
        )
    )

    async def post(self, session_id: str) -> None:
        await self.services.manager.get(session_id).restart()
        self.answer_nothing()


class Connection(Handler):
    """`/session/{id}/connection`. To each their own ports: those of owners may end the session."""

    operations = by_method(
        GET=Operation(
            "connection",
            "Have the session's kernel listen for Jupyter clients on ports of this machine",
            json_answer(JupyterConnection),
            IN_SESSION,
        )
    )

    def get(self, session_id: str) -> None:
        session = self.services.manager.get(session_id)
        info = session.connection(may_end=self.visitor.is_owner)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(info))


class Replay(Handler):
    """`/session/{id}/replay`: what was published before a client attached, as Jupyter messages."""

    operations = by_method(
        GET=Operation(
            "replay", "What the session published last", json_answer(ReplayedMessages), IN_SESSION
        )
    )

    def get(self, session_id: str) -> None:
        replay = self.services.manager.get(session_id).replay()
        self.set_header("Content-Type", "application/json")
        self.finish(replay)
