"""Home: what it says, and its buttons."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse
from sqlalchemy import update

from evosync.db.tables import mirrors
from evosync.domain.ids import CommunityId, ProductId
from evosync.domain.mirror import Outcome, ProductResult, Progress, Result, Scope, Step
from evosync.domain.status import Standing
from evosync.web.live import LIVE, MOST
from evosync.web.services import Services
from tests.web.browser import Browser, World
from tests.web.conftest import NewBrowser
from tests.web.mirrored import STORE, Owner, make_owner, plain


@pytest.fixture
async def owner(browser: Browser, world: World, services: Services) -> Owner:
    made = await make_owner(world, services.sealer)
    await browser.sign_in("owner@example.com")
    return made


@pytest.fixture
async def shop(owner: Owner) -> Owner:
    """Connected, filled and started: two products in step, one on its way, one waiting for its owner."""
    await owner.connect()
    await owner.fill({1: Standing.IN_STEP, 2: Standing.SOLD_OUT, 3: Standing.WAIT_CHANGE, 4: Standing.ZERO_PRICE})
    await owner.start()
    return owner


async def test_before_anything_is_connected_home_leads_to_the_first_step(browser: Browser, owner: Owner) -> None:
    page = await browser.get("/sync")
    assert plain(page.h1) == "С чего начать"
    assert 'href="/connections"' in plain(page.text)
    assert 'action="/sync/run"' not in page.text


async def test_before_the_start_home_leads_to_the_preview(browser: Browser, owner: Owner) -> None:
    await owner.connect()
    await owner.fill({1: Standing.WAIT_CREATE})
    page = await browser.get("/sync")
    assert plain(page.h1) == "Витрина готова к запуску"
    assert 'href="/sync/preview"' in plain(page.text)


async def test_home_says_how_many_are_as_at_the_till_and_how_old_the_oldest_difference_is(
    browser: Browser, shop: Owner
) -> None:
    await shop.ran(updated=2)
    page = await browser.get("/sync")
    assert plain(page.h1) == "1 товар в пути"
    assert '<dd class="big">2</dd>' in plain(page.text)
    assert "из 4 товаров на витрине точно как на кассе" in plain(page.text)
    assert "<b>17 минут</b> · Сыр Маасдам 3" in plain(page.text)
    assert "в пути: Сыр 1; 1 ждёт вас" in plain(page.text)


async def test_home_and_the_head_of_the_page_say_that_a_store_is_gone_and_where_to_switch_it_off(
    browser: Browser, owner: Owner
) -> None:
    await owner.connect()
    await owner.fill({1: Standing.IN_STEP})
    await owner.start()
    await owner.ran()
    nothing = dict.fromkeys(("delta_at", "retry_at", "held_at"))
    read_at = (owner.world.clock.now - timedelta(hours=1)).isoformat()
    reading = {"state": "failed", "code": "Evotor 404", "full_at": read_at, "failures": 5, "held_digest": "", **nothing}
    await owner.world.database.write(
        lambda connection: connection.execute(
            update(mirrors).where(mirrors.c.user_id == owner.user).values(readings={STORE: reading})
        )
    )
    page = await browser.get("/sync")
    text = plain(page.text)
    assert plain(page.h1) == "Магазин пропал с кассы"
    assert "Эвотор не знает магазин «Пекарня». Последний раз прочитали: " in text
    assert "Нужны вы" in text
    assert 'href="/catalog/stores">Открыть магазины' in text
    assert "В ногу, " not in text
    assert "такой же, как на кассе" not in text


async def test_a_shop_in_step_says_so(browser: Browser, owner: Owner) -> None:
    await owner.connect()
    await owner.fill({1: Standing.IN_STEP, 2: Standing.IN_STEP})
    await owner.start()
    await owner.ran()
    page = await browser.get("/sync")
    assert plain(page.h1) == "В ногу с кассой"
    assert "Все 2 товара на витрине такие же, как на кассе." in plain(page.text)
    assert "Сверили 1 минуту назад." in plain(page.text)


async def test_a_broken_key_stands_before_all_else_with_its_way_out(browser: Browser, shop: Owner) -> None:
    await shop.breaks("vk", "VK 5")
    page = await browser.get("/sync")
    assert plain(page.h1) == "ВКонтакте больше не пускает"
    assert 'href="/connections">Подключить заново' in plain(page.text)
    assert orjson.loads((await browser.get("/sync/status")).text)["state"] == "broken"


async def test_trouble_of_vk_is_not_the_owners(browser: Browser, shop: Owner) -> None:
    await shop.ran(outcome=Outcome.FAILED, code="VK HTTP 502")
    page = await browser.get("/sync")
    assert plain(page.h1) == "VK ответил сбоем"
    assert 'class="sign we"' in plain(page.text)


async def test_update_now_wishes_for_a_whole_run_and_twice_is_once(browser: Browser, shop: Owner) -> None:
    await shop.forget_wish()
    for _ in range(2):
        assert (await browser.post("/sync/run")).location == "/sync"
    wish = await shop.wish()
    assert wish is not None
    assert (wish.scope, wish.reasons) == (Scope.FULL, ("asked",))
    assert set(shop.world.queue.nudged) == {shop.user}
    assert (await browser.get("/sync")).h1.replace("\u00a0", " ") == "Обновление в очереди"


async def test_update_now_twice_while_a_whole_run_reads_the_till_wishes_for_nothing_more(
    browser: Browser, shop: Owner
) -> None:
    await shop.forget_wish()
    run = await shop.ran(outcome=None)
    await shop.moves(run, Progress(Step.CATALOG))
    await browser.post("/sync/run")
    assert (await shop.now()).wanted_at is None
    assert "Обновление уже идёт" in (await browser.get("/sync")).toasts
    shop.world.clock.now += timedelta(seconds=6)  # no double click: the till may have said before what changed now
    await browser.post("/sync/run")
    wish = await shop.wish()
    assert wish is not None
    assert (wish.scope, wish.reasons) == (Scope.DELTA, ("asked",))


async def test_update_now_during_the_rest_of_a_run_wishes_for_another(browser: Browser, shop: Owner) -> None:
    await shop.forget_wish()
    run = await shop.ran(outcome=None)
    await shop.moves(run, Progress(Step.MIRROR, 41, 164))
    for _ in range(2):
        await browser.post("/sync/run")
    wish = await shop.wish()
    assert wish is not None
    assert (wish.scope, wish.reasons) == (Scope.FULL, ("asked",))


async def test_the_first_run_is_the_owners_start(browser: Browser, owner: Owner) -> None:
    await owner.connect()
    await owner.fill({1: Standing.WAIT_CREATE})
    assert (await browser.post("/sync/run")).location == "/sync"
    now = await owner.now()
    assert now.started_at == owner.world.clock.now
    wish = await owner.wish()
    assert wish is not None
    assert "start" in wish.reasons
    owner.world.clock.pass_by(timedelta(minutes=1))
    await browser.post("/sync/run")
    assert (await owner.now()).started_at == now.started_at


async def test_nothing_starts_without_both_connections_or_without_a_choice(browser: Browser, owner: Owner) -> None:
    assert (await browser.post("/sync/run")).location == "/connections"
    await owner.connect()
    assert (await browser.post("/sync/run")).location == "/catalog/stores"
    assert (await owner.now()).started_at is None


async def test_pause_and_resume_stand_as_asked_and_a_repeat_changes_nothing(browser: Browser, shop: Owner) -> None:
    await browser.post("/sync/pause")
    paused_at = (await shop.now()).paused_at
    assert paused_at is not None
    shop.world.clock.pass_by(timedelta(minutes=5))
    await browser.post("/sync/pause")
    assert (await shop.now()).paused_at == paused_at
    assert (await browser.get("/sync")).h1.replace("\u00a0", " ") == "Вы поставили паузу"
    assert orjson.loads((await browser.get("/sync/status")).text)["state"] == "paused"
    await shop.forget_wish()
    await browser.post("/sync/run")
    assert await shop.wish() is None
    for _ in range(2):
        await browser.post("/sync/resume")
    assert (await shop.now()).paused_at is None
    wish = await shop.wish()
    assert wish is not None
    assert wish.reasons == ("resumed",)


async def test_a_button_without_the_pages_token_does_nothing(browser: Browser, shop: Owner) -> None:
    for path in ("/sync/run", "/sync/pause", "/sync/resume", "/sync/problems/retry", "/sync/settings"):
        assert (await browser.post(path, token="made up")).status == 403
    assert (await shop.now()).paused_at is None


@pytest.mark.parametrize(
    "path",
    [
        "/sync",
        "/sync/preview",
        "/sync/runs",
        "/sync/runs/1",
        "/sync/problems",
        "/sync/problems/listing",
        "/sync/settings",
    ],
)
async def test_a_stranger_is_sent_to_sign_in(browser: Browser, path: str) -> None:
    assert (await browser.get(path)).location.startswith("/login?next=")


@pytest.mark.parametrize("path", ["/sync/status", "/sync/events"])
async def test_a_strangers_script_gets_no_page(browser: Browser, path: str) -> None:
    page = await browser.get(path)
    assert page.status == 401
    assert page.response.content_type == "application/json"


async def test_status_tells_the_progress_and_the_last_run(browser: Browser, shop: Owner) -> None:
    last = await shop.ran(created=3, failed=1)
    run = await shop.ran(outcome=None)
    await shop.moves(run, Progress(Step.MIRROR, 96, 164))
    told = orjson.loads((await browser.get("/sync/status")).text)
    assert told["state"] == "running"
    assert told["progress"] == {"run": run, "step": "mirror", "done": 96, "total": 164, "seconds_left": None}
    assert (told["last_run"]["id"], told["last_run"]["created"], told["last_run"]["failed"]) == (last, 3, 1)


async def test_a_run_is_shown_with_its_bar_and_its_measured_time(browser: Browser, shop: Owner) -> None:
    run = await shop.ran(outcome=None)
    await shop.moves(run, Progress(Step.MIRROR, 0, 164))
    assert "считаем, сколько осталось" in (await browser.get("/sync")).text
    shop.world.clock.pass_by(timedelta(seconds=60))
    await shop.moves(run, Progress(Step.MIRROR, 41, 164))
    page = await browser.get("/sync")
    assert plain(page.h1) == "Витрина обновляется"
    assert "41 из 164" in plain(page.text)
    assert "осталось около 3 минут" in plain(page.text)
    assert 'data-live="/sync/events?seen=running"' in plain(page.text)
    assert page.text.index("Витрина прочитана") < page.text.index('aria-current="step"')


@asynccontextmanager
async def listening(browser: Browser) -> AsyncIterator[ClientResponse]:
    reply = await browser.client.get("/sync/events", headers=browser.headers)
    try:
        yield reply
    finally:
        reply.close()


async def told(reply: ClientResponse) -> dict[str, Any]:
    """The next event."""
    async with asyncio.timeout(30):
        async for line in reply.content:
            if line.startswith(b"data: "):
                found: dict[str, Any] = orjson.loads(line.removeprefix(b"data: "))
                return found
    raise AssertionError("the stream has ended")


async def test_events_tell_each_step_in_finished_words_and_the_end(browser: Browser, shop: Owner) -> None:
    live = browser.client.app[LIVE] if browser.client.app is not None else None
    assert live is not None
    live.look = 0.02
    run = await shop.ran(outcome=None)
    await shop.moves(run, Progress(Step.MIRROR, 41, 164))
    async with listening(browser) as reply:
        assert reply.status == 200
        assert reply.content_type == "text/event-stream"
        first = await told(reply)
        assert (first["done"], first["total"], first["text"]) == (41, 164, "41 из 164")
        assert "Записываем" in first["steps"]
        await shop.moves(run, Progress(Step.MIRROR, 82, 164))
        assert (await told(reply))["text"] == "82 из 164"
        await shop.breaks("vk", "VK 5")
        assert (await told(reply))["over"] is True
        assert await reply.content.read() == b"\n"


async def test_a_page_that_shows_another_state_is_told_to_be_read_anew(browser: Browser, shop: Owner) -> None:
    await shop.ran(outcome=None)
    page = await browser.get("/sync/events?seen=queued")
    assert '"over":true' in page.text


async def test_one_owner_cannot_hold_many_streams(browser: Browser, shop: Owner) -> None:
    await shop.ran(outcome=None)
    streams = [await browser.client.get("/sync/events", headers=browser.headers) for _ in range(MOST)]
    assert [stream.status for stream in streams] == [200] * MOST
    assert (await browser.get("/sync/events")).status == 429
    for stream in streams:
        stream.close()


async def test_a_stop_of_the_site_ends_the_streams(browser: Browser, shop: Owner) -> None:
    await shop.ran(outcome=None)
    async with listening(browser) as reply:
        await told(reply)
        assert browser.client.app is not None
        browser.client.app[LIVE].stopping.set()
        async with asyncio.timeout(30):
            await reply.content.read()


async def test_a_receipt_shows_what_a_run_did(browser: Browser, shop: Owner) -> None:
    results = (
        ProductResult(ProductId("p1"), Result.UPDATED, fields={"price": ("9999", "11999"), "stock": ("14", "9")}),
        ProductResult(ProductId("p2"), Result.FAILED, code="VK 1433"),
        ProductResult(ProductId("unheard"), Result.HIDDEN, why="gone"),
    )
    run = await shop.ran(results=results, updated=1, hidden=1, failed=1)
    page = await browser.get(f"/sync/runs/{run}")
    assert plain(page.h1) == f"Обновление № {run}"
    assert "Картинка не подошла" in plain(page.text)
    changed = await browser.get(f"/sync/runs/{run}?show=updated")
    assert "99,99\u00a0₽</del>" in changed.text
    assert '<span class="tag">119,99\u00a0₽</span> <small>+20\u00a0%</small>' in changed.text
    hidden = await browser.get(f"/sync/runs/{run}?show=hidden&page=99")
    assert hidden.status == 200
    assert f"R-{run}-" in page.text


async def test_anothers_run_is_not_there(browser: Browser, new_browser: NewBrowser, shop: Owner) -> None:
    run = await shop.ran()
    other = await make_owner(shop.world, shop.sealer, "other@example.com")
    await other.connect(CommunityId(124))
    stranger = await new_browser()
    await stranger.sign_in("other@example.com")
    assert (await stranger.get(f"/sync/runs/{run}")).status == 404
    assert (await browser.get(f"/sync/runs/{run}")).status == 200


@pytest.mark.parametrize("number", ["0", "-1", "x", "99999999999999999999", "1.5", "%D9%A1"])
async def test_a_run_that_never_was_is_not_there(browser: Browser, shop: Owner, number: str) -> None:
    assert (await browser.get(f"/sync/runs/{number}")).status == 404


async def test_all_runs_are_listed_by_pages(browser: Browser, shop: Owner) -> None:
    for _ in range(3):
        await shop.ran()
    page = await browser.get("/sync/runs?page=nonsense")
    assert plain(page.h1) == "3 обновления"
    assert page.text.count("Без изменений") == 3


async def test_home_speaks_english_too(browser: Browser, shop: Owner) -> None:
    await shop.world.change(shop.person, language="en")
    await shop.ran()
    page = await browser.get("/sync")
    assert plain(page.h1) == "1 product is on its way"
    assert "of 4 products are in VK exactly as at the till" in plain(page.text)
