"""One owner's Evotor account over HTTP: pages, retries and the two ways to show a token."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from evosync.domain.catalog import Group, Product, Store
from evosync.domain.connection import Token
from evosync.domain.errors import CloudError, NotFound, Operators, Rejected, Side, Throttled, Unavailable
from evosync.domain.ids import ProductId, StoreId
from evosync.evotor import wire

log = logging.getLogger(__name__)
T = TypeVar("T")

_ACCEPT = "application/vnd.evotor.v2+json"
_SCHEMES = ("bearer", "x-authorization")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try. Waits in seconds.

    `tries` of one request; between them `first_wait`, doubled each time up to `longest_wait`, with
    jitter. A 429 that asks for more than `longest_throttle` is handed to the caller instead.
    `total` and `silence` are the time-outs of one try: whole, and between two pieces of the body.
    """

    tries: int = 4
    first_wait: float = 1.0
    longest_wait: float = 15.0
    longest_throttle: float = 60.0
    total: float = 90.0
    silence: float = 30.0


@dataclass(frozen=True, slots=True)
class Account:
    """What a connection test finds. `till_user` is Evotor's number of the account, empty if no store names it."""

    stores: tuple[Store, ...]
    till_user: str


Seen = Callable[[str, str, float], None]
"""Told of every request that ended: what was asked for, the error's code or "ok", and the seconds it took."""


def unseen(_what: str, _code: str, _seconds: float) -> None:
    """Nobody counts."""


class EvotorTill:
    """The till side of `sync.ports`. Shares the HTTP session with everybody, keeps nothing between runs.

    Raises what the port says, and `Operators` where Evotor calls our request wrong (400, 405, 406).
    """

    MAX_BODY = 32 * 1024 * 1024
    """A thousand products are about 0.6 MB."""

    MAX_PAGES = 1_000

    def __init__(
        self,
        http: aiohttp.ClientSession,
        base_url: str,
        token: Token,
        *,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seen: Seen = unseen,
    ) -> None:
        self._http = http
        self._base = base_url.rstrip("/")
        self._token = token
        self._patience = patience or Patience()
        self._timeout = aiohttp.ClientTimeout(
            total=self._patience.total, sock_connect=10, sock_read=self._patience.silence
        )
        self._sleep = sleep
        self._clock = clock
        self._seen = seen
        self._scheme = _SCHEMES[0]
        self._accepted = False
        self._requests = 0

    @property
    def requests(self) -> int:
        return self._requests

    async def verify(self) -> Account:
        """The connection test: which stores this token opens, and whose they are."""
        found = await self.stores()
        return Account(found, next((store.till_user for store in found if store.till_user), ""))

    async def stores(self) -> tuple[Store, ...]:
        return await self._listing("/stores", wire.stores)

    async def groups(self, store: StoreId) -> tuple[Group, ...]:
        path = f"/stores/{_segment(store)}/product-groups"
        return await self._listing(path, lambda rows: wire.groups(rows, store))

    async def products(self, store: StoreId) -> tuple[Product, ...]:
        path = f"/stores/{_segment(store)}/products"
        return await self._listing(path, lambda rows: wire.products(rows, store))

    async def products_since(self, store: StoreId, since: datetime) -> tuple[Product, ...]:
        path = f"/stores/{_segment(store)}/products"
        first = {"since": str(wire.millis(since))}
        return await self._listing(path, lambda rows: wire.products(rows, store), first)

    async def product(self, store: StoreId, product: ProductId) -> Product | None:
        try:
            path = f"/stores/{_segment(store)}/products/{_segment(product)}"
            return await self._get(path, {}, lambda body: wire.product(wire.row(body), store))
        except NotFound:
            return None

    async def _listing(
        self, path: str, parse: wire.Parse[wire.Kind], first: dict[str, str] | None = None
    ) -> tuple[wire.Kind, ...]:
        """All pages or an error. Each is parsed as it comes, so that no raw page outlives the next request."""
        found: list[wire.Kind] = []
        params = first or {}
        seen: set[str] = set()
        while True:
            rows, cursor = await self._page(path, params, parse)
            found.extend(rows)
            if not cursor:
                return wire.unique(found)
            if cursor in seen or len(seen) >= self.MAX_PAGES:
                raise wire.broken("the pages do not end")
            seen.add(cursor)
            params = {"cursor": cursor}  # alone: what else was asked for is in it (Evotor FACTS 1.2)

    async def _page(
        self, path: str, params: dict[str, str], parse: wire.Parse[wire.Kind]
    ) -> tuple[tuple[wire.Kind, ...], str]:
        def read(body: bytes) -> tuple[tuple[wire.Kind, ...], str]:
            page = wire.page(body)
            return parse(page.rows), page.cursor

        try:
            return await self._get(path, params, read)
        except Operators as error:
            if "cursor" not in params:
                raise
            # It took our first page and not its own cursor, which must have grown stale: begin anew next time.
            raise Unavailable(Side.EVOTOR, error.code, "the cursor was refused") from error

    async def _get(self, path: str, params: dict[str, str], read: Callable[[bytes], T]) -> T:
        """Ask until `read` makes sense of the answer or patience ends."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return read(await self._ask(path, params))
            except (Unavailable, Throttled) as error:
                pause = self._pause(error, attempt)
                if pause is None:
                    raise
                log.debug("evotor retry", extra={"path": path, "code": error.code, "attempt": attempt, "wait": pause})
                await self._sleep(pause)

    def _pause(self, error: Unavailable | Throttled, attempt: int) -> float | None:
        """Seconds until the next try, None to give up."""
        if attempt >= self._patience.tries:
            return None
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        backoff = min(self._patience.first_wait * 2.0 ** (attempt - 1), self._patience.longest_wait) * jitter
        if not isinstance(error, Throttled) or error.wait is None:
            return backoff
        if error.wait > timedelta(seconds=self._patience.longest_throttle):
            return None
        return error.wait.total_seconds() + backoff

    async def _ask(self, path: str, params: dict[str, str]) -> bytes:
        """One try. Where Bearer is refused before it ever worked, the bare header is tried once (Evotor FACTS 1.1)."""
        try:
            body = await self._send(path, params, self._scheme)
        except Rejected:
            if self._accepted or self._scheme != _SCHEMES[0]:
                raise
            body = await self._send(path, params, _SCHEMES[1])
            self._scheme = _SCHEMES[1]
        self._accepted = True
        return body

    async def _send(self, path: str, params: dict[str, str], scheme: str) -> bytes:
        begun, code = time.monotonic(), "given up"
        try:
            body = await self._request(path, params, scheme)
        except CloudError as error:
            code = error.code
            raise
        else:
            code = "ok"
            return body
        finally:
            self._seen(_what(path), code, time.monotonic() - begun)

    async def _request(self, path: str, params: dict[str, str], scheme: str) -> bytes:
        secret = self._token.secret
        shown = {"Authorization": f"Bearer {secret}"} if scheme == "bearer" else {"X-Authorization": secret}
        self._requests += 1
        try:
            async with self._http.get(
                URL(self._base + path, encoded=True),
                params=params,
                headers={"Accept": _ACCEPT, **shown},
                timeout=self._timeout,
                allow_redirects=False,  # a token goes to the configured host and nowhere else
            ) as response:
                body = await self._body(response)
        except TimeoutError as error:
            raise Unavailable(Side.EVOTOR, "Evotor time-out", type(error).__name__) from error
        except aiohttp.ClientError as error:
            raise Unavailable(Side.EVOTOR, "Evotor connection", type(error).__name__) from error
        failed = wire.failure(
            response.status, response.headers, body.replace(secret.encode(), b"..."), now=self._clock()
        )
        if failed is not None:
            raise failed
        return body

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self.MAX_BODY:
                raise wire.broken("too large")
            parts.append(part)
        return b"".join(parts)


def _what(path: str) -> str:
    """`stores`, `product-groups`, `products`, or `product` for one."""
    parts = path.strip("/").split("/")
    return "product" if len(parts) == 4 else parts[-1]


def _segment(ident: str) -> str:
    """An opaque id as one path segment; dots alone would walk up the path."""
    if ident in {"", ".", ".."}:
        raise NotFound(Side.EVOTOR, "Evotor 404", "no such id")
    return quote(ident, safe="")


__all__ = ["Account", "EvotorTill", "Patience"]
