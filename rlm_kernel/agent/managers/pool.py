"""Several managers of which any will do: chosen by load, passed over when they cannot."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from rlm_kernel.agent.managers.addresses import Addresses
from rlm_kernel.agent.managers.faults import Faults, is_passing, reasons, verdict
from rlm_kernel.agent.managers.probe import Probe, has_session, probe, why_not_ready
from rlm_kernel.agent.managers.resting import Resting
from rlm_kernel.agent.managers.seats import Begin, Made, Seat
from rlm_kernel.agent.managers.whereabouts import Whereabouts
from rlm_kernel.errors import ManagerUnavailable, NotReady, RLMKernelError, SessionNotFound

CHOICES = 2
"""How many managers, drawn at random, are asked for their load before one is given a session: of
two the less busy is nearly as good a choice as that of all, and does not draw a crowd."""

PLACE_SECONDS = 30.0
"""How long a manager that has just said that it is well may take to begin a session."""


class ManagerPool:
    """The `Managers` at some addresses, all of which ask for the same token.

    A new session goes to the less busy of two managers that are drawn at random. One that is dead,
    mute, full, starting or closing down is passed over, and left alone for some seconds. Where
    there is only one address, its manager is used as it is. Holds nothing that needs closing.
    """

    def __init__(self, addresses: Addresses, token: str | None = None) -> None:
        self._addresses = addresses
        self._token = token
        self._resting = Resting()
        self._whereabouts = Whereabouts()
        self._arriving: Counter[str] = Counter()

    async def place(self, begin: Begin[Made]) -> Made:
        """See `Managers`. Raises TooManySessions where all are full, else what is wrong with each.

        An error that is not the manager's fault ends the search.
        """
        urls = await self._addresses.now()
        if len(urls) == 1:
            return await begin(self._seat(urls[0]))
        faults: Faults = {}
        async for url, patience in self._in_order(urls, faults):
            try:
                with self._arrival(url):
                    async with asyncio.timeout(patience):
                        return await begin(self._seat(url))
            except (RLMKernelError, TimeoutError) as error:
                if not is_passing(error):
                    raise
                self._note_fault(url, error, faults)
        raise verdict(faults)

    async def settle(self, session_id: str, seat: Seat) -> None:
        """See `Managers`."""
        self._whereabouts.note(session_id, seat.url)

    async def seat_of(self, session_id: str) -> Seat:
        """See `Managers`. All are asked for a session that others have made."""
        url = self._whereabouts.find(session_id)
        if url is None:
            url = await self._search(session_id)
            self._whereabouts.note(session_id, url)
        return self._seat(url)

    async def release(self, session_id: str) -> None:
        """See `Managers`."""
        self._whereabouts.forget(session_id)

    async def ready(self) -> None:
        """See `Managers`."""
        faults: Faults = {}
        for urls in _batches(_shuffled(await self._addresses.now())):
            found = await asyncio.gather(*(why_not_ready(self._seat(url)) for url in urls))
            if None in found:
                return
            faults |= {url: error for url, error in zip(urls, found, strict=True) if error}
        if len(faults) == 1:
            raise NotReady(str(*faults.values()))
        raise NotReady(f"no manager is ready: {reasons(faults) or 'there is none'}")

    async def close(self) -> None:
        """See `Managers`."""

    def _seat(self, url: str) -> Seat:
        return Seat(url, self._token)

    def _note_fault(self, url: str, error: BaseException, faults: Faults) -> None:
        faults[url] = error
        self._resting.begin(url, error)

    async def _in_order(
        self, urls: Sequence[str], faults: Faults
    ) -> AsyncIterator[tuple[str, float | None]]:
        """Managers, the best first, each with the seconds that it may take.

        Those that still start are the last resort, since they make who comes wait. Notes the
        `faults` of those that are not worth a try.
        """
        starting: list[str] = []
        drawn = sorted(_shuffled(urls), key=self._resting.includes)
        for pair in _batches(drawn):
            for found in await self._probed(pair):
                if found.fault is not None:
                    self._note_fault(found.url, found.fault, faults)
                elif found.starting:
                    starting.append(found.url)
                else:
                    yield found.url, PLACE_SECONDS
        for url in starting:
            yield url, None

    async def _probed(self, urls: Sequence[str]) -> list[Probe]:
        """What each says of itself, the least busy first."""
        found = await asyncio.gather(*(probe(self._seat(url)) for url in urls))
        return sorted(found, key=lambda one: one.sessions + self._arriving[one.url])

    @contextmanager
    def _arrival(self, url: str) -> Iterator[None]:
        """Counts a session that its manager does not count yet."""
        self._arriving[url] += 1
        try:
            yield
        finally:
            self._arriving[url] -= 1

    async def _search(self, session_id: str) -> str:
        urls = await self._addresses.now()
        if len(urls) == 1:
            return urls[0]
        asked = await asyncio.gather(*(has_session(self._seat(url), session_id) for url in urls))
        answers = dict(zip(urls, asked, strict=True))
        for url, answer in answers.items():
            if answer is True:
                return url
        mute: Faults = {
            url: answer for url, answer in answers.items() if not isinstance(answer, bool)
        }
        if mute:
            raise ManagerUnavailable(f"session {session_id!r} cannot be found: {reasons(mute)}")
        raise SessionNotFound(f"none of {len(urls)} managers has a session {session_id!r}")


def _shuffled(urls: Sequence[str]) -> list[str]:
    return random.sample(urls, len(urls))


def _batches(urls: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(urls), CHOICES):
        yield urls[start : start + CHOICES]
