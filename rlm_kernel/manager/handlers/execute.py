"""Code in, what it did out."""

from __future__ import annotations

from rlm_kernel.errors import BadRequest
from rlm_kernel.manager.handlers.base import Handler
from rlm_kernel.manager.handlers.body import read_body
from rlm_kernel.manager.wire import ExecuteRequest


class Execute(Handler):
    """`/session/{id}/execute`. The cell runs on when the client goes away."""

    async def post(self, session_id: str) -> None:
        session = self.services.manager.get(session_id)
        request = self._request()
        result = await session.execute(request.code, timeout=request.timeout, queue=request.queue)
        self.answer(result)

    def _request(self) -> ExecuteRequest:
        request = read_body(ExecuteRequest, self.body)
        if request.timeout is not None and request.timeout > self.services.max_timeout:
            raise BadRequest(f"timeout: at most {self.services.max_timeout:g} seconds")
        return request
