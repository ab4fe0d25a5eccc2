"""The clients of all kernels, so that one that comes back is known."""

from __future__ import annotations

from functools import partial

from rlm_kernel.manager.jupyter.peer import Peer
from rlm_kernel.manager.session import ManagedSession

MAX_AWAY = 16


class Peers:
    """Finds and makes peers. Of each kernel at most `MAX_AWAY` are kept that are away."""

    def __init__(self) -> None:
        self._peers: dict[str, dict[str, Peer]] = {}

    def find(self, session: ManagedSession, client_id: str) -> Peer | None:
        return self._peers.get(session.id, {}).get(client_id)

    def make(self, session: ManagedSession, client_id: str) -> Peer:
        peer = Peer(session, partial(self._forget, session.id, client_id))
        self._peers.setdefault(session.id, {})[client_id] = peer
        return peer

    def limit_away(self, session: ManagedSession) -> None:
        """Takes the longest known of those that are away for gone, where they are too many."""
        away = [peer for peer in self._peers.get(session.id, {}).values() if peer.is_away]
        for peer in away[:-MAX_AWAY]:
            peer.leave()

    def _forget(self, session_id: str, client_id: str) -> None:
        clients = self._peers[session_id]
        del clients[client_id]
        if not clients:
            del self._peers[session_id]
