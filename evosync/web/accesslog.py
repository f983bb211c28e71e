"""The access log without what follows the `?`: an address may carry a single-use link."""

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from evosync.web.keys import CLIENT


class PathLog(AbstractAccessLogger):
    """One line a request: who, what, the answer, and how long it took. Referrers are left out for the same reason."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        client = request.get(CLIENT) if isinstance(request, web.Request) else None
        self.logger.info(
            "request",
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status,
                "bytes": response.body_length,
                "seconds": round(time, 4),
                "address": client.address if client is not None else request.remote,
                "request_id": client.id if client is not None else "",
            },
        )
