"""Both connections: tested, kept, shown without their keys, erased."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestServer
from pytest_aiohttp.plugin import AiohttpClient
from sqlalchemy import RowMapping, select

from evosync.accounts.throttle import TEST_ADDRESS, Throttle, TooFast
from evosync.db import choices, connections, credentials, tills
from evosync.db.credentials import Connected
from evosync.db.tables import audit, mirrors
from evosync.domain.catalog import Store
from evosync.domain.connection import Health
from evosync.domain.errors import Refused, Rejected, Side, Throttled, Unavailable
from evosync.domain.ids import CommunityId, StoreId, UserId
from evosync.domain.mirror import TillChanges
from evosync.security.seal import Sealer
from evosync.web.app import make_site
from evosync.web.services import Check, Services, ShopFound, TillFound
from tests.web.browser import NOW, Browser, Page, World
from tests.web.conftest import NewBrowser

TILL_KEY = "till-secret-key-0123456789-4f7a"
SHOP_KEY = "vk1.a.shop-secret-key-0123456789-9c1d"
REDIRECT = f"https://oauth.vk.com/blank.html#access_token={SHOP_KEY}&expires_in=%s&user_id=7"
SHOP = ShopFound(
    tuple(Check),
    values={"name": "Анна Лавкина", "community": "Лавка на Садовой", "items": "21", "albums": "2"},
    vk_user_id=7,
    community=CommunityId(123),
)
ROUTES = (
    "/connections/evotor",
    "/connections/evotor/disconnect",
    "/connections/evotor/test",
    "/connections/vk",
    "/connections/vk/disconnect",
    "/connections/vk/test",
)


@pytest.fixture
async def user(world: World) -> UserId:
    world.clouds.shop = SHOP
    return (await world.person()).id


@pytest.fixture
async def owner(browser: Browser, user: UserId) -> Browser:
    await browser.sign_in("owner@example.com")
    return browser


async def seen(world: World, user: UserId) -> Connected:
    return await world.database.read(lambda connection: credentials.connected(connection, user))


async def row(world: World, user: UserId) -> RowMapping:
    async with world.database.reading() as connection:
        return (await connection.execute(select(mirrors).where(mirrors.c.user_id == user))).mappings().one()


async def connect_both(owner: Browser) -> None:
    assert (await owner.post("/connections/evotor", {"access_token": TILL_KEY})).status == 303
    assert (await owner.post("/connections/vk", {"group_id": "club123", "access_token": SHOP_KEY})).status == 303


async def pressed(browser: Browser, path: str) -> tuple[int, dict[str, Any], str]:
    """As the script on the page asks."""
    reply = await browser.post(path, Accept="application/json")
    return reply.status, orjson.loads(reply.text), reply.text


def said(text: Page | str) -> str:
    """With plain spaces."""
    return (text if isinstance(text, str) else text.text).replace("\u00a0", " ")


def shows_no_key(page: Page | str) -> bool:
    text = page if isinstance(page, str) else page.text
    return TILL_KEY not in text and SHOP_KEY not in text


# The till


async def test_a_till_whose_key_works_is_kept_and_read_at_once(owner: Browser, world: World, user: UserId) -> None:
    reply = await owner.post("/connections/evotor", {"access_token": f" {TILL_KEY} "})
    assert (reply.status, reply.location) == (303, "/connections")
    assert world.clouds.tried == [TILL_KEY]
    key = (await seen(world, user)).till
    assert key is not None
    assert (key.last4, key.health, key.connected_at) == ("4f7a", Health.OK, NOW)
    wish = await row(world, user)
    assert (wish["wanted_at"], wish["wanted_scope"], wish["wanted_reasons"]) == (NOW, "full", ["connected"])
    assert world.queue.nudged == [user]


@pytest.mark.usefixtures("user")
async def test_the_page_leads_to_the_application_in_evotor_s_market_where_the_operator_named_it(
    services: Services, aiohttp_client: AiohttpClient
) -> None:
    for app, is_shown in (("", False), ("2a3b4c5d-6e7f-4801-9a2b-3c4d5e6f7081", True)):
        known = replace(services, site=replace(services.site, till_app=app))
        reader = Browser(await aiohttp_client(TestServer(make_site(known))))
        await reader.sign_in("owner@example.com")
        page = await reader.get("/connections")
        assert (f'href="https://market.evotor.ru/store/apps/{app}"' in page.text) is is_shown
        assert ("EvoSync в Маркете Эвотора" in said(page)) is is_shown


async def test_a_till_key_that_is_refused_is_not_kept_and_says_why(owner: Browser, world: World, user: UserId) -> None:
    world.clouds.till_error = Rejected(Side.EVOTOR, "Evotor 401")
    page = await owner.post("/connections/evotor", {"access_token": TILL_KEY})
    assert page.status == 422
    assert "Эвотор не принял этот ключ" in said(page)
    assert "Evotor 401" in page.text
    assert shows_no_key(page)
    assert (await seen(world, user)).till is None
    assert not world.queue.nudged


async def test_a_key_is_not_kept_while_evotor_is_away(owner: Browser, world: World, user: UserId) -> None:
    world.clouds.till_error = Unavailable(Side.EVOTOR, "Evotor 503")
    page = await owner.post("/connections/evotor", {"access_token": TILL_KEY})
    assert page.status == 503
    assert "Эвотор сейчас не отвечает" in said(page)
    assert "Попробуйте ещё раз чуть позже" in said(page)
    assert (await seen(world, user)).till is None


@pytest.mark.parametrize(
    ("typed", "said"), [("", "Ключ пустой"), ("   ", "Ключ пустой"), ("два слова", "Это не ключ"), ("x" * 4001, "длин")]
)
async def test_what_is_no_key_is_said_beside_the_field_and_nobody_is_asked(
    owner: Browser, world: World, typed: str, said: str
) -> None:
    page = await owner.post("/connections/evotor", {"access_token": typed})
    assert page.status == 422
    assert [error for error in page.errors if said in error]
    assert world.clouds.tried == []


async def test_a_new_key_replaces_the_old_one(owner: Browser, world: World, user: UserId) -> None:
    await owner.post("/connections/evotor", {"access_token": TILL_KEY})
    await owner.post("/connections/evotor", {"access_token": "another-till-key-0123456789-beef"})
    key = (await seen(world, user)).till
    assert key is not None
    assert key.last4 == "beef"


async def test_a_till_that_somebody_else_has_is_refused_with_the_reason(
    owner: Browser, world: World, user: UserId, new_browser: NewBrowser
) -> None:
    await owner.post("/connections/evotor", {"access_token": TILL_KEY})
    other = await world.person("other@example.com")
    stranger = await new_browser()
    await stranger.sign_in("other@example.com")
    page = await stranger.post("/connections/evotor", {"access_token": "key-of-a-stranger-0123456789"})
    assert page.status == 409
    assert "Эта касса уже подключена в другом аккаунте" in said(page)
    assert (await seen(world, other.id)).till is None
    assert (await seen(world, user)).till is not None


# VK


async def test_a_community_is_kept_with_what_the_test_found(owner: Browser, world: World, user: UserId) -> None:
    reply = await owner.post("/connections/vk", {"group_id": "https://vk.com/public123", "access_token": SHOP_KEY})
    assert (reply.status, reply.location) == (303, "/connections")
    assert world.clouds.tried == [f"{SHOP_KEY} 123"]
    found = await seen(world, user)
    assert found.shop is not None
    assert found.vk is not None
    assert (found.shop.community, found.shop.name, found.shop.expires_at) == (123, "Лавка на Садовой", None)
    assert found.vk.last4 == "9c1d"
    assert (await row(world, user))["wanted_reasons"] == ["connected"]
    assert world.queue.nudged == [user]


async def test_a_key_in_the_whole_address_brings_its_term_and_a_warning(
    owner: Browser, world: World, user: UserId
) -> None:
    await owner.post("/connections/vk", {"group_id": "123", "access_token": REDIRECT % 86400})
    found = await seen(world, user)
    assert found.shop is not None
    assert found.shop.expires_at == NOW + timedelta(days=1)
    page = await owner.get("/connections")
    assert "23 ноября, 12:30" in said(page)
    assert "Получите новый до этого срока" in said(page)
    world.clock.pass_by(timedelta(days=2))
    assert "Вставьте новый" in said(await owner.get("/connections"))


async def test_a_term_far_away_is_shown_without_alarm(owner: Browser) -> None:
    await owner.post("/connections/vk", {"group_id": "123", "access_token": REDIRECT % (86400 * 60)})
    page = await owner.get("/connections")
    assert "Мы напомним заранее" in said(page)
    assert "Получите новый до этого срока" not in said(page)


async def test_a_short_name_is_tried_and_its_number_kept(owner: Browser, world: World, user: UserId) -> None:
    await owner.post("/connections/vk", {"group_id": "vk.com/lavka_sad", "access_token": SHOP_KEY})
    assert world.clouds.tried == [f"{SHOP_KEY} lavka_sad"]
    assert (await seen(world, user)).community == 123


async def test_a_test_that_stops_half_way_shows_how_far_it_came(owner: Browser, world: World, user: UserId) -> None:
    world.clouds.shop = ShopFound(
        (Check.KEY, Check.RIGHTS), Refused(Side.VK, "VK 1438"), {"name": "Анна Лавкина"}, 7, CommunityId(123)
    )
    page = await owner.post("/connections/vk", {"group_id": "club123", "access_token": SHOP_KEY})
    assert page.status == 422
    assert "Ключ действует, это Анна Лавкина" in said(page)
    assert "Витрина выключена" in said(page)
    assert "Остальное проверим после этого" in said(page)
    assert page.value("group_id") == "club123"
    assert shows_no_key(page)
    assert (await seen(world, user)).vk is None


async def test_missing_rights_are_named(owner: Browser, world: World) -> None:
    world.clouds.shop = ShopFound((Check.KEY,), Refused(Side.VK, "rights"), {"scope": "market,photos"}, 7)
    page = await owner.post("/connections/vk", {"group_id": "123", "access_token": SHOP_KEY})
    assert "«товары, фото»" in said(page)


@pytest.mark.parametrize("error", [Unavailable(Side.VK, "VK HTTP 502"), Throttled(Side.VK, "VK 6")])
async def test_vk_in_trouble_is_no_fault_of_the_key(
    owner: Browser, world: World, error: Unavailable | Throttled
) -> None:
    world.clouds.shop = ShopFound((), error)
    page = await owner.post("/connections/vk", {"group_id": "123", "access_token": SHOP_KEY})
    assert page.status == 503
    assert "Попробуйте ещё раз чуть позже" in said(page)


@pytest.mark.parametrize(
    ("group", "key", "said"),
    [
        ("", SHOP_KEY, "Не похоже на сообщество"),
        ("моя лавка", SHOP_KEY, "Не похоже на сообщество"),
        ("123", "", "Ключ пустой"),
        ("123", "https://oauth.vk.com/blank.html#error=access_denied", "ВКонтакте не дал ключа"),
    ],
)
async def test_bad_input_is_said_beside_the_field_and_the_rest_is_kept(
    owner: Browser, world: World, group: str, key: str, said: str
) -> None:
    page = await owner.post("/connections/vk", {"group_id": group, "access_token": key})
    assert page.status == 422
    assert [error for error in page.errors if said in error]
    assert page.value("group_id") == group
    assert shows_no_key(page)
    assert world.clouds.tried == []


async def test_a_community_that_somebody_else_has_is_refused(
    owner: Browser, world: World, new_browser: NewBrowser
) -> None:
    await owner.post("/connections/vk", {"group_id": "123", "access_token": SHOP_KEY})
    other = await world.person("other@example.com")
    stranger = await new_browser()
    await stranger.sign_in("other@example.com")
    page = await stranger.post("/connections/vk", {"group_id": "123", "access_token": "key-of-a-stranger-0123456789"})
    assert page.status == 409
    assert "Это сообщество уже подключено в другом аккаунте" in said(page)
    assert (await seen(world, other.id)).vk is None


# The test buttons


async def test_the_till_button_answers_with_the_stores(owner: Browser, world: World) -> None:
    await connect_both(owner)
    world.clouds.till = TillFound(("Лавка на Садовой", "Кофейня у парка"))
    status, body, text = await pressed(owner, "/connections/evotor/test")
    assert (status, body["ok"], body["found"]) == (200, True, {"stores": ["Лавка на Садовой", "Кофейня у парка"]})
    assert "Нашли 2 магазина: «Лавка на Садовой» и «Кофейня у парка»" in said(body["html"])
    assert shows_no_key(text)


async def test_the_till_button_answers_with_cause_and_way_out(owner: Browser, world: World) -> None:
    await connect_both(owner)
    world.clouds.till_error = Rejected(Side.EVOTOR, "Evotor 403")
    status, body, _ = await pressed(owner, "/connections/evotor/test")
    assert (status, body["ok"]) == (200, False)
    assert said(body["problem"]["title"]) == "Эвотор не дал прав"
    assert body["problem"]["you"]


async def test_the_vk_button_answers_with_all_five_steps(owner: Browser) -> None:
    await connect_both(owner)
    _, body, text = await pressed(owner, "/connections/vk/test")
    assert body["ok"] is True
    assert len(body["lines"]) == 5
    assert {line["tone"] for line in body["lines"]} == {"ok"}
    assert "Витрина читается: 21 карточка, 2 подборки" in said(body["html"])
    assert body["found"]["community"] == "Лавка на Садовой"
    assert shows_no_key(text)


async def test_a_test_that_works_mends_a_broken_connection_and_wishes_for_a_run(
    owner: Browser, world: World, user: UserId
) -> None:
    await connect_both(owner)
    await world.database.write(
        lambda connection: connections.break_connection(connection, user, Side.VK, reason="VK 5", at=NOW)
    )
    page = await owner.get("/connections")
    assert "ВКонтакте больше не пускает" in said(page)
    world.queue.nudged.clear()
    assert (await pressed(owner, "/connections/vk/test"))[1]["ok"] is True
    key = (await seen(world, user)).vk
    assert key is not None
    assert key.health is Health.OK
    assert world.queue.nudged == [user]


async def test_a_test_that_is_refused_lets_a_run_find_out(owner: Browser, world: World, user: UserId) -> None:
    await connect_both(owner)
    world.queue.nudged.clear()
    world.clouds.shop = ShopFound((), Rejected(Side.VK, "VK 5"))
    _, body, _ = await pressed(owner, "/connections/vk/test")
    assert said(body["problem"]["title"]) == "ВКонтакте больше не пускает"
    assert world.queue.nudged == [user]


async def test_a_button_without_a_script_shows_the_answer_on_the_page(owner: Browser) -> None:
    await connect_both(owner)
    page = await owner.post("/connections/vk/test")
    assert page.status == 200
    assert "Ключ действует, это Анна Лавкина" in said(page)


async def test_there_is_nothing_to_test_before_it_is_connected(owner: Browser, world: World) -> None:
    for path in ("/connections/evotor/test", "/connections/vk/test"):
        assert (await pressed(owner, path))[0] == 404
    assert world.clouds.tried == []


async def test_a_key_that_does_not_open_any_more_is_said_to_be_so(owner: Browser, world: World, user: UserId) -> None:
    other = Sealer(["quite another key, long enough"])
    await world.database.write(
        lambda connection: connections.save_evotor(connection, user, TILL_KEY, till_user=None, sealer=other, at=NOW)
    )
    _, body, _ = await pressed(owner, "/connections/evotor/test")
    assert said(body["problem"]["title"]) == "Ключ больше не открывается"
    assert world.clouds.tried == []


async def test_tests_are_throttled_for_one_account(owner: Browser, world: World) -> None:
    await connect_both(owner)
    replies = [(await pressed(owner, "/connections/vk/test"))[0] for _ in range(25)]
    assert replies[0] == 200
    assert replies[-1] == 429
    asked = len(world.clouds.tried)
    assert (await owner.post("/connections/evotor", {"access_token": TILL_KEY})).status == 429
    assert len(world.clouds.tried) == asked


async def test_tests_are_throttled_for_one_address_whoever_presses(owner: Browser, world: World) -> None:
    await connect_both(owner)
    throttle = Throttle(world.redis)
    with suppress(TooFast):
        for _ in range(TEST_ADDRESS.tries * 2):
            await throttle.take(TEST_ADDRESS, "127.0.0.1")
    asked = len(world.clouds.tried)
    assert (await pressed(owner, "/connections/vk/test"))[0] == 429
    assert len(world.clouds.tried) == asked


# Disconnecting


async def test_disconnecting_erases_the_keys_at_once_and_a_repeat_changes_nothing(
    owner: Browser, world: World, user: UserId, services: Services
) -> None:
    await connect_both(owner)
    for path in ("/connections/evotor/disconnect", "/connections/vk/disconnect"):
        assert (await owner.post(path)).location == "/connections"
        assert (await owner.post(path)).location == "/connections"
    found = await seen(world, user)
    assert found.till is None
    assert found.vk is None
    for side in Side:
        async with world.database.reading() as connection:
            kept = await credentials.stored(connection, user, side, services.sealer)
        assert kept is None


async def test_what_was_done_to_a_connection_stands_in_the_audit_trail(
    owner: Browser, world: World, user: UserId
) -> None:
    await connect_both(owner)
    await owner.post("/connections/vk/disconnect")
    await owner.post("/connections/vk/disconnect")
    async with world.database.reading() as connection:
        query = select(audit.c.action, audit.c.details).where(audit.c.user_id == user).order_by(audit.c.id)
        rows = (await connection.execute(query)).all()
    assert [action for action, _ in rows if "connected" in action] == [
        "evotor_connected",
        "vk_connected",
        "vk_disconnected",
    ]
    assert shows_no_key(repr(rows))


# The page


async def test_the_page_shows_four_characters_and_never_a_key(owner: Browser, world: World, user: UserId) -> None:
    await connect_both(owner)
    await world.database.write(lambda connection: choices.start_mirror(connection, user, at=NOW))
    page = await owner.get("/connections")
    assert said(page.h1) == "Касса и ВКонтакте подключены"
    assert "4f7a" in page.text
    assert "9c1d" in page.text
    assert shows_no_key(page)
    assert page.value("access_token") == ""


async def test_a_broken_key_comes_first(owner: Browser, world: World, user: UserId) -> None:
    await connect_both(owner)

    async def start_and_break(connection: Any) -> None:
        await choices.start_mirror(connection, user, at=NOW)
        await connections.break_connection(connection, user, Side.EVOTOR, reason="Evotor 401", at=NOW)

    await world.database.write(start_and_break)
    page = await owner.get("/connections")
    assert said(page.h1) == "Кассе нужен новый ключ"
    assert "витрина осталась как в 12:30" in said(page)


async def test_a_first_time_owner_is_led_from_step_to_step(owner: Browser, world: World, user: UserId) -> None:
    def step(page: Page) -> str:
        return page.text.partition('aria-current="step"')[2].partition("<h2>")[2].partition("</h2>")[0]

    store = Store(StoreId("s1"), "Лавка")
    assert step(await owner.get("/connections")) == "Касса Эвотор"
    await owner.post("/connections/evotor", {"access_token": TILL_KEY})
    assert step(await owner.get("/connections")) == "Сообщество ВКонтакте"
    await owner.post("/connections/vk", {"group_id": "123", "access_token": SHOP_KEY})
    page = await owner.get("/connections")
    assert step(page) == "Что показывать"
    assert "Читаем кассу" in said(page)
    await world.database.write(lambda connection: tills.save(connection, user, TillChanges(stores=(store,)), at=NOW))
    assert "/catalog/stores/s1/groups" in said(await owner.get("/connections"))
    await owner.post("/catalog/stores/s1/toggle", {"on": "1"})
    assert step(await owner.get("/connections")) == "Что показывать"
    await world.database.write(lambda connection: choices.start_mirror(connection, user, at=NOW))
    assert 'aria-current="step"' not in said(await owner.get("/connections"))


# Who may


@pytest.mark.parametrize("path", ROUTES)
async def test_a_stranger_may_do_nothing_here(browser: Browser, world: World, path: str) -> None:
    assert (await browser.post(path, {"access_token": TILL_KEY, "group_id": "1"})).status == 401
    assert world.clouds.tried == []


@pytest.mark.parametrize("path", ROUTES)
async def test_only_a_post_with_the_forms_token_changes_anything(owner: Browser, world: World, path: str) -> None:
    assert (await owner.get(path)).status == 404 or (await owner.get(path)).status == 405
    assert (await owner.post(path, {"access_token": TILL_KEY, "group_id": "1"}, token="forged")).status == 403
    assert world.clouds.tried == []


async def test_the_page_asks_a_stranger_to_sign_in(browser: Browser) -> None:
    assert (await browser.get("/connections")).location == "/login?next=/connections"


async def test_the_page_speaks_english_too(new_browser: NewBrowser, world: World) -> None:
    await world.person("reader@example.com", language="en")
    reader = await new_browser("en")
    await reader.sign_in("reader@example.com")
    assert (await reader.get("/connections")).h1 == "Five steps to your shop"
