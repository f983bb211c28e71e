"""How replies leave the sandbox, whole or broken as a fault wants."""

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from evosync.sandbox.faults import BrokenTransportError, Fault

if TYPE_CHECKING:
    from evosync.sandbox.state import Sandbox


async def wait(sandbox: "Sandbox", seconds: float) -> None:
    """Be slow; the end of the sandbox cuts it short."""
    if seconds <= 0:
        return
    if seconds < 1:
        await asyncio.sleep(seconds)
        return
    closing = asyncio.ensure_future(sandbox.closing.wait())
    await asyncio.wait({closing}, timeout=seconds)
    closing.cancel()


async def hold(sandbox: "Sandbox", fault: Fault) -> None:
    """Tell whoever watches that the call is here, and stay until released or the sandbox ends."""
    fault.reached.set()
    waits = {asyncio.ensure_future(fault.released.wait()), asyncio.ensure_future(sandbox.closing.wait())}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()


async def meet(sandbox: "Sandbox", fault: Fault | None, *, after: bool) -> None:
    """Suffer the fault if this is its moment.

    Raises:
        BrokenTransportError: the reply must be spoilt; :func:`spoil` does it.
    """
    if fault is None or (fault.when == "after") != after:
        return
    fault.reached.set()
    if fault.kind == "slow":
        await wait(sandbox, fault.seconds)
    elif fault.kind == "hold":
        await hold(sandbox, fault)
    elif fault.kind in ("http", "hang", "cut"):
        raise BrokenTransportError(fault)


async def spoil(request: web.Request, sandbox: "Sandbox", fault: Fault) -> web.StreamResponse:
    """The reply of a call that ended in a broken transport."""
    if fault.kind == "http":
        return web.Response(status=fault.status, text=fault.body, content_type=fault.content_type)
    if fault.kind == "hang":
        await wait(sandbox, fault.seconds)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def reply(
    request: web.Request, body: bytes, *, content_type: str, fault: Fault | None, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    """The body as it is, or half of it where a fault says so."""
    if fault is not None and fault.kind == "cut_body":
        response = web.StreamResponse(headers={**(headers or {}), "Content-Type": content_type})
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response
    if fault is not None and fault.kind == "broken_body":
        body = body[: len(body) // 2]
    return web.Response(body=body, headers={**(headers or {}), "Content-Type": content_type})
