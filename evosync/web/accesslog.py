"""The access log without what follows the `?`: an address may carry a single-use link."""

import logging

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from evosync.web.keys import CLIENT, VIEWER

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class PathLog(AbstractAccessLogger):
    """One line a request: who, what, the answer, and how long it took. Referrers are left out for the same reason.

    What was only read, and could be, is not worth a line of the usual log.
    """

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        level = logging.DEBUG if request.method in _READS and response.status < 400 else logging.INFO
        if not self.logger.isEnabledFor(level):
            return
        client = request.get(CLIENT) if isinstance(request, web.Request) else None
        viewer = request.get(VIEWER) if isinstance(request, web.Request) else None
        self.logger.log(
            level,
            "request",
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status,
                "bytes": response.body_length,
                "seconds": round(time, 4),
                "address": client.address if client is not None else request.remote,
                "request_id": client.id if client is not None else "",
                **({"user_id": viewer.id} if viewer is not None else {}),
            },
        )
