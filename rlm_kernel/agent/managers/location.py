"""Where managers are, as one setting says it."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from rlm_kernel.agent.managers.addresses import Addresses, FixedAddresses
from rlm_kernel.agent.managers.name_service import NamedManagers, addresses_of, services_of
from rlm_kernel.agent.managers.pool import ManagerPool
from rlm_kernel.agent.managers.seats import Managers
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.manager_location import ManagerLocation


def managers_at(location: str, token: str | None = None) -> Managers:
    """The managers at what WASM_MANAGER_SERVICE_URL may hold.

    That is the URL of one, URLs separated by commas, `dns+http://NAME:PORT`, or
    `srv+http://_PORT._tcp.NAME`. Raises ConfigurationError.
    """
    try:
        place = ManagerLocation.parse(location)
    except ValueError as error:
        raise ConfigurationError(f"{location!r} says not where managers are: {error}") from error
    return ManagerPool(_addresses(place), token)


def _addresses(place: ManagerLocation) -> Addresses:
    if place.kind is None:
        return FixedAddresses(place.urls)
    url = urlsplit(place.urls[0])
    host = url.hostname or ""
    if place.kind == "srv":
        return NamedManagers(url.scheme, partial(services_of, host))
    return NamedManagers(url.scheme, partial(addresses_of, host, url.port or 80))
