"""Where managers are, as one setting says it."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from rlm_kernel.agent.managers.addresses import FixedAddresses
from rlm_kernel.agent.managers.claim import WarmPool
from rlm_kernel.agent.managers.claimed import ClaimedManagers, ClaimOptions
from rlm_kernel.agent.managers.cluster import Cluster
from rlm_kernel.agent.managers.name_service import NamedManagers, addresses_of, services_of
from rlm_kernel.agent.managers.pool import ManagerPool
from rlm_kernel.agent.managers.seats import Managers
from rlm_kernel.errors import ConfigurationError
from rlm_kernel.manager_location import ManagerLocation


def managers_at(
    location: str,
    token: str | None = None,
    *,
    cluster: Cluster | None = None,
    claims: ClaimOptions | None = None,
) -> Managers:
    """The managers at what WASM_MANAGER_SERVICE_URL may hold.

    That is the URL of one, URLs separated by commas, `dns+http://NAME:PORT`,
    `srv+http://_PORT._tcp.NAME`, or `claim+http://WARMPOOL:PORT`; `cluster` and `claims` say how
    pods are claimed. Raises ConfigurationError.
    """
    try:
        place = ManagerLocation.parse(location)
    except ValueError as error:
        raise ConfigurationError(f"{location!r} says not where managers are: {error}") from error
    if place.kind is None:
        return ManagerPool(FixedAddresses(place.urls), token)
    url = urlsplit(place.urls[0])
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    if place.kind == "claim":
        pool = WarmPool(cluster or Cluster(), host)
        return ClaimedManagers(pool, scheme=url.scheme, port=port, token=token, options=claims)
    resolve = (
        partial(services_of, host) if place.kind == "srv" else partial(addresses_of, host, port)
    )
    return ManagerPool(NamedManagers(url.scheme, resolve), token)


_PORTS = {"http": 80, "https": 443}
