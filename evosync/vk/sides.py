"""Shops for connections: one dispatcher for each token in use, one pacer for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from evosync.domain.connection import Token, VkConnection
from evosync.sync.ports import MayWrite
from evosync.vk.client import VkShop
from evosync.vk.dispatcher import Dispatcher, Landed, Pressure, Seen, unnoticed, unseen
from evosync.vk.pacer import Pacer
from evosync.vk.photos import Photos
from evosync.vk.transport import Transport

_UPLOADS = 16
"""Pictures under way at once, of all owners: they are small, and the host is another."""


@dataclass(frozen=True, slots=True)
class VkAddress:
    """Where VK is (`VK_API_URL`, `VK_API_VERSION`) and how long an answer may take, in seconds (VK FACTS 5)."""

    url: str = "https://api.vk.com/method"
    version: str = "5.199"
    timeout: float = 35.0


@dataclass(slots=True)
class _InUse:
    dispatcher: Dispatcher
    users: int = 0


class VkSides:
    """Opens shops. The session is shared; it needs no headers and must keep no cookies."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        address: VkAddress,
        pacer: Pacer,
        pressure: Pressure | None = None,
        *,
        seen: Seen = unseen,
        landed: Landed = unnoticed,
    ) -> None:
        self._transport = Transport(http, url=address.url, version=address.version, timeout=address.timeout)
        self._pacer = pacer
        self._pressure = pressure or Pressure()
        self._seen = seen
        self._landed = landed
        self._in_use: dict[str, _InUse] = {}
        self._uploads = asyncio.Semaphore(_UPLOADS)

    @asynccontextmanager
    async def shop(self, connection: VkConnection, may_write: MayWrite | None = None) -> AsyncIterator[VkShop]:
        """Leaving waits for requests in flight, if nobody else uses the token."""
        async with self.dispatcher(connection.token) as dispatcher:
            photos = Photos(dispatcher, self._transport, connection.community, self._uploads, self._landed)
            yield VkShop(dispatcher, connection.community, photos, may_write)

    @asynccontextmanager
    async def dispatcher(self, token: Token) -> AsyncIterator[Dispatcher]:
        """The one that everybody with this token shares; closed when the last has left."""
        in_use = self._in_use.get(token.fingerprint)
        if in_use is None:
            dispatcher = Dispatcher(
                self._transport, token, self._pacer, self._pressure, seen=self._seen, landed=self._landed
            )
            in_use = self._in_use[token.fingerprint] = _InUse(dispatcher)
        in_use.users += 1
        try:
            yield in_use.dispatcher
        finally:
            in_use.users -= 1
            if not in_use.users:
                del self._in_use[token.fingerprint]
                await in_use.dispatcher.aclose()
