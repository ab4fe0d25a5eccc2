"""Who a visitor is to Jupyter Server, and what they may do there. The door has let them in."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.auth.identity import IdentityProvider, User
from tornado.web import RequestHandler

from rlm_kernel.http.door import Door
from rlm_kernel.http.handler import admitted
from rlm_kernel.http.visitor import Visitor

OF_SESSIONS = ("kernels", "sessions", "events")
"""Jupyter Server's names of what those who are attached may do more with than read.

To subscribe to events counts as more; none can be sent.
"""


class VisitingUser(User):
    """A user who came in through the door."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__(visitor.role)
        self.visitor = visitor


class DoorIdentity(IdentityProvider):
    """Has the door say who a request is from. There are no logins and no cookies but its own."""

    def __init__(self, door: Door, **kwargs: Any) -> None:
        super().__init__(token="", **kwargs)
        self._door = door

    def get_user(self, handler: RequestHandler) -> VisitingUser:
        return VisitingUser(admitted(self._door, handler.request))

    def is_token_authenticated(self, handler: RequestHandler) -> bool:
        """Never: it would let pages of other sites read the answers."""
        return False


class DoorAuthorizer(Authorizer):
    """Owners may do everything. Others read, and use the sessions that there are.

    That they create and end none is up to the handlers, which know whether a request would.
    """

    def is_authorized(
        self, handler: RequestHandler, user: User, action: str, resource: str
    ) -> bool:
        visitor = visitor_of(handler)
        return visitor.is_owner or action == "read" or resource in OF_SESSIONS


def visitor_of(handler: RequestHandler) -> Visitor:
    user = handler.current_user
    assert isinstance(user, VisitingUser)
    return user.visitor
