"""One question to a server of ours: is it well?"""

from __future__ import annotations

import httpx
from pydantic import ValidationError

from rlm_kernel.errors import ConfigurationError, ManagerError, ManagerUnavailable
from rlm_kernel.http.faults import error_of
from rlm_kernel.http.messages import FaultBody


async def probe(url: str, token: str | None = None) -> None:
    """Return where `url` answers that all is well.

    Raises the error that it answers with, ManagerUnavailable where nobody answers, and
    ConfigurationError for what is not a URL. No proxy is used, whatever the environment says.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with httpx.AsyncClient(headers=headers, timeout=None, trust_env=False) as client:
            answer = await client.get(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"{url!r} is not a URL: {error}") from error
    except httpx.HTTPError as error:
        raise ManagerUnavailable(f"no answer from {url}: {error}") from error
    if not answer.is_success:
        raise _fault(answer)


def _fault(answer: httpx.Response) -> Exception:
    try:
        return error_of(FaultBody.model_validate_json(answer.content).error)
    except ValidationError:
        return ManagerError(f"{answer.url} answered {answer.status_code}")
