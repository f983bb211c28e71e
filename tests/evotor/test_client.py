import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from evosync.domain.connection import Token
from evosync.domain.errors import NotFound, Operators, Rejected, Throttled, Unavailable, Unpaid
from evosync.domain.ids import ProductId, StoreId
from evosync.evotor.client import EvotorTill, Patience
from evosync.sync.ports import TillSide

STORE = StoreId("20240115-7A3C-40D1-80B2-5C0F1E2A9B31")
TOKEN = Token("c0ffee00-1111-4222-8333-444455556666", "f" * 8)

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


def says(*rows: dict[str, object], cursor: str = "") -> Reply:
    async def reply(_: web.Request) -> web.StreamResponse:
        return web.json_response({"items": rows, "paging": {"next_cursor": cursor} if cursor else {}})

    return reply


def fails(status: int, *, body: str = "", **headers: str) -> Reply:
    async def reply(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return reply


def garbage(text: str) -> Reply:
    async def reply(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text)

    return reply


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"items": [')
    assert request.transport is not None
    request.transport.close()
    return response


async def silence(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class Cloud:
    """Answers in the order of its replies and remembers what it was asked."""

    replies: list[Reply]
    asked: list[web.Request] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return await self.replies.pop(0)(request)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    @property
    def paths(self) -> list[str]:
        return [request.raw_path for request in self.asked]


@asynccontextmanager
async def till(*replies: Reply, patience: Patience | None = None) -> AsyncIterator[tuple[EvotorTill, Cloud]]:
    cloud = Cloud(list(replies))
    app = web.Application()
    app.router.add_get("/{rest:.*}", cloud.answer)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    async with aiohttp.ClientSession() as http:
        try:
            yield EvotorTill(http, str(server.make_url("/")), TOKEN, patience=patience, sleep=cloud.sleep), cloud
        finally:
            await server.close()


async def test_it_is_a_till_side() -> None:
    async with till() as (evotor, _):
        side: TillSide = evotor
        assert side.requests == 0


async def test_a_request_is_signed_and_names_its_version() -> None:
    async with till(says({"id": "S1", "user_id": "01-000000000000042"})) as (evotor, cloud):
        await evotor.stores()
        (request,) = cloud.asked
        assert request.headers["Authorization"] == f"Bearer {TOKEN.secret}"
        assert "X-Authorization" not in request.headers
        assert request.headers["Accept"] == "application/vnd.evotor.v2+json"
        assert evotor.requests == 1


async def test_all_pages_are_followed_with_the_cursor_alone() -> None:
    cursor = "QWND+WnVX/bmF4=="
    since = datetime(2026, 3, 2, 8, 15, 30, tzinfo=UTC)
    async with till(says({"id": "a"}, cursor=cursor), says({"id": "b"})) as (evotor, cloud):
        found = await evotor.products_since(STORE, since)
        assert [product.id for product in found] == ["a", "b"]
        assert [dict(request.query) for request in cloud.asked] == [
            {"since": "1772439330000"},
            {"cursor": cursor},
        ]
        assert {request.path for request in cloud.asked} == {f"/stores/{STORE}/products"}
        assert "+" not in cloud.paths[1]


async def test_a_full_listing_names_no_since() -> None:
    async with till(says()) as (evotor, cloud):
        assert await evotor.products(STORE) == ()
        assert cloud.paths == [f"/stores/{STORE}/products"]


async def test_an_id_that_comes_twice_is_listed_once() -> None:
    replies = says({"id": "a", "price": 1}, cursor="2"), says({"id": "a", "price": 2})
    async with till(*replies) as (evotor, _):
        (product,) = await evotor.products(STORE)
        assert product.kopecks == 200


async def test_pages_that_go_round_in_a_circle_are_no_listing() -> None:
    async with till(*[says({"id": "a"}, cursor=c) for c in ("1", "2", "1")]) as (evotor, _):
        with pytest.raises(Unavailable):
            await evotor.products(STORE)


async def test_a_listing_that_lacks_its_last_page_raises() -> None:
    async with till(says({"id": "a"}, cursor="2"), fails(500), fails(500), patience=Patience(tries=2)) as (evotor, _):
        with pytest.raises(Unavailable) as caught:
            await evotor.products(STORE)
        assert caught.value.code == "Evotor 500"


async def test_a_refused_cursor_is_a_broken_listing_and_not_our_mistake() -> None:
    async with till(says({"id": "a"}, cursor="2"), fails(400)) as (evotor, _):
        with pytest.raises(Unavailable):
            await evotor.products(STORE)


async def test_opaque_ids_stay_one_segment_of_the_path() -> None:
    async with till(says(), fails(404)) as (evotor, cloud):
        await evotor.groups(StoreId("A/b ?#%"))
        assert await evotor.product(STORE, ProductId("x/../y")) is None
        assert cloud.paths == [
            "/stores/A%2Fb%20%3F%23%25/product-groups",
            f"/stores/{STORE}/products/x%2F..%2Fy",
        ]


async def test_an_id_of_dots_never_leaves_the_house() -> None:
    async with till() as (evotor, cloud):
        assert await evotor.product(STORE, ProductId("..")) is None
        with pytest.raises(NotFound):
            await evotor.products(StoreId(""))
        assert cloud.asked == []


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_bearer_is_tried_once_more_as_a_bare_header(status: int) -> None:
    async with till(fails(status), says({"id": "S1"}), says()) as (evotor, cloud):
        assert len(await evotor.stores()) == 1
        await evotor.groups(STORE)
        assert [request.headers.get("X-Authorization") for request in cloud.asked] == [
            None,
            TOKEN.secret,
            TOKEN.secret,
        ]
        assert "Authorization" not in cloud.asked[1].headers


async def test_a_token_that_neither_way_opens_is_rejected_at_once() -> None:
    async with till(fails(401), fails(401)) as (evotor, cloud):
        with pytest.raises(Rejected) as caught:
            await evotor.stores()
        assert caught.value.code == "Evotor 401"
        assert len(cloud.asked) == 2
        assert cloud.waits == []


async def test_a_token_that_worked_before_is_not_tried_the_other_way() -> None:
    async with till(says({"id": "S1"}), fails(403)) as (evotor, cloud):
        await evotor.stores()
        with pytest.raises(Rejected):
            await evotor.groups(STORE)
        assert len(cloud.asked) == 2


@pytest.mark.parametrize(
    "fault",
    [fails(500), fails(503, body="<html>"), garbage("<html>"), garbage('{"items": ['), garbage('{"oops": 1}'), cut],
    ids=["500", "503", "html", "half", "shape", "cut"],
)
async def test_a_passing_fault_is_tried_again_with_growing_waits(fault: Reply) -> None:
    async with till(fault, fault, says({"id": "a"})) as (evotor, cloud):
        assert len(await evotor.products(STORE)) == 1
        first, second = cloud.waits
        assert 0.5 <= first <= 1.0 <= second <= 2.0


async def test_a_cloud_that_stays_broken_is_unavailable() -> None:
    async with till(*[fails(502)] * 4) as (evotor, cloud):
        with pytest.raises(Unavailable):
            await evotor.stores()
        assert len(cloud.asked) == 4


async def test_a_cloud_that_says_nothing_times_out() -> None:
    patience = Patience(tries=2, total=0.05)
    async with till(silence, silence, patience=patience) as (evotor, _):
        with pytest.raises(Unavailable) as caught:
            await evotor.stores()
        assert caught.value.code == "Evotor time-out"
        assert evotor.requests == 2


async def test_nobody_there_is_unavailable() -> None:
    async with aiohttp.ClientSession() as http:
        evotor = EvotorTill(http, "http://127.0.0.1:1", TOKEN, patience=Patience(tries=1))
        with pytest.raises(Unavailable) as caught:
            await evotor.stores()
        assert caught.value.code == "Evotor connection"


async def test_a_body_beyond_reason_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EvotorTill, "MAX_BODY", 1_000)
    async with till(garbage("[" + " " * 2_000 + "]"), patience=Patience(tries=1)) as (evotor, _):
        with pytest.raises(Unavailable):
            await evotor.stores()


async def test_a_short_throttle_is_waited_out() -> None:
    async with till(fails(429, X_RateLimit_Reset="37"), says({"id": "a"})) as (evotor, cloud):
        assert len(await evotor.products(STORE)) == 1
        assert 37 <= cloud.waits[0] <= 39


async def test_a_long_throttle_is_the_callers_to_wait() -> None:
    async with till(fails(429, Retry_After="1800")) as (evotor, cloud):
        with pytest.raises(Throttled) as caught:
            await evotor.products(STORE)
        assert caught.value.wait == timedelta(minutes=30)
        assert cloud.waits == []


@pytest.mark.parametrize(("status", "error"), [(402, Unpaid), (404, NotFound), (400, Operators), (406, Operators)])
async def test_what_waiting_cannot_mend_is_told_at_once(status: int, error: type[Exception]) -> None:
    async with till(fails(status)) as (evotor, cloud):
        with pytest.raises(error):
            await evotor.products(STORE)
        assert len(cloud.asked) == 1


async def test_a_redirect_does_not_get_the_token() -> None:
    async with till(fails(302, Location="/elsewhere"), patience=Patience(tries=1)) as (evotor, cloud):
        with pytest.raises(Unavailable):
            await evotor.stores()
        assert cloud.paths == ["/stores"]


async def test_no_error_repeats_the_token() -> None:
    async with till(fails(400, body=f'{{"message": "bad token {TOKEN.secret}"}}')) as (evotor, _):
        with pytest.raises(Operators) as caught:
            await evotor.stores()
        assert TOKEN.secret not in str(caught.value)
        assert "bad token" in str(caught.value)


async def test_the_connection_test_names_stores_and_account() -> None:
    async with till(says({"id": "S1"}, {"id": "S2", "user_id": "01-000000000000042"})) as (evotor, _):
        account = await evotor.verify()
        assert [store.id for store in account.stores] == ["S1", "S2"]
        assert account.till_user == "01-000000000000042"


async def test_one_product_is_read_by_its_id() -> None:
    async def reply(_: web.Request) -> web.StreamResponse:
        return web.json_response({"id": "p1", "name": "Чай", "price": 7})

    async with till(reply) as (evotor, cloud):
        product = await evotor.product(STORE, ProductId("p1"))
        assert product is not None
        assert product.kopecks == 700
        assert cloud.paths == [f"/stores/{STORE}/products/p1"]
