"""The till's catalog: switches of stores and groups, and where each product stands."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import orjson
import pytest
from yarl import URL

from evosync.db import mirrors, tills
from evosync.domain.catalog import Group
from evosync.domain.ids import ROOT, GroupId, StoreId, UserId
from evosync.domain.mirror import Scope, TillChanges
from evosync.domain.status import Standing, Status
from evosync.web.paths import group_path, plain, segment, store_path
from evosync.web.services import Services
from tests.web import shelves
from tests.web.browser import NOW, Browser, Page, World
from tests.web.conftest import NewBrowser
from tests.web.shelves import CAPSULES, COFFEE, OTHER, STORE, TEA, product

STORES = "/catalog/stores"
GROUPS = store_path(STORE, "groups")
PRODUCTS = store_path(STORE, "products")
NOWHERE = StoreId("nowhere")
SOON = NOW + timedelta(seconds=5)


@pytest.fixture
async def user(world: World) -> UserId:
    user = (await world.person()).id
    await shelves.stock(world, user)
    return user


@pytest.fixture
async def owner(browser: Browser, user: UserId) -> Browser:
    await browser.sign_in("owner@example.com")
    return browser


def said(page: Page) -> str:
    """The page's text with plain spaces."""
    return unescape(page.text).replace("\u00a0", " ")


def named(page: Page) -> list[str]:
    """Products in their order."""
    body = page.text.partition('class="rows goods"')[2].partition("</ul>")[0]
    return [unescape(name) for name in re.findall(r"<h3>(.*?)</h3>", body)]


def checked(page: Page, action: str) -> bool:
    form = page.text.partition(f'action="{action}" data-switch')[2].partition("</form>")[0]
    assert form, f"no switch for {action}"
    return 'aria-checked="true"' in form


async def choose(browser: Browser, path: str, on: str, **headers: str) -> Page:
    return await browser.post(path, {"on": on}, **headers)


# Ids within addresses


@pytest.mark.parametrize("ident", ["", ".", "..", "~", "~~x", "a/b", "a b", "%2F", "ё?#&", "20240115-7A3C", "+", "a~"])
def test_every_id_has_a_spelling_in_a_path_that_leads_back_to_it(ident: str) -> None:

    spelled = segment(ident)
    assert "/" not in spelled
    path = URL(f"http://x/a/{spelled}/b", encoded=True)
    assert len(path.raw_parts) == 4
    assert plain(URL(f"http://x/{spelled}", encoded=True).name) == ident


# Stores


async def test_the_catalog_begins_with_the_stores(owner: Browser) -> None:
    assert (await owner.get("/catalog")).location == STORES


async def test_each_store_shows_its_switch_its_size_and_its_state(owner: Browser, world: World, user: UserId) -> None:
    read_at = (NOW - timedelta(minutes=5)).isoformat()
    await shelves.read(world, user, {STORE: {"full_at": read_at}, OTHER: {"state": "unpaid", "code": "Evotor 402"}})
    page = await owner.get(STORES)
    assert page.h1 == "Пока не показываем ни одного магазина"
    assert "Лавка на Садовой" in page.text
    assert "7 товаров" in said(page)
    assert "включено 0 групп из 4" in said(page)
    assert "5 минут назад" in said(page)
    assert "Не оплачен" in said(page)
    assert not checked(page, store_path(STORE, "toggle"))


async def test_a_held_listing_is_said_to_be_checked(owner: Browser, world: World, user: UserId) -> None:
    await shelves.read(world, user, {STORE: {"state": "held", "full_at": NOW.isoformat()}})
    assert "прочитаем ещё раз" in said(await owner.get(STORES))


async def test_before_the_till_is_connected_there_is_a_way_to_do_it(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    page = await browser.get(STORES)
    assert "Касса ещё не подключена" in said(page)
    assert 'href="/connections"' in page.text


async def test_a_store_is_switched_on_and_off_and_a_repeat_changes_nothing(
    owner: Browser, world: World, user: UserId
) -> None:
    path = store_path(STORE, "toggle")
    reply = await choose(owner, path, "1")
    assert (reply.status, reply.location) == (303, STORES)
    assert (await shelves.shows(world, user)).stores == {STORE: True}
    world.clock.pass_by(timedelta(seconds=30))
    wished = await shelves.wish(world, user)
    await choose(owner, path, "1")
    assert await shelves.wish(world, user) == wished
    assert checked(await owner.get(STORES), path)
    await choose(owner, path, "0")
    assert (await shelves.shows(world, user)).stores == {STORE: False}


async def test_a_script_gets_its_answer_in_place(owner: Browser) -> None:
    reply = await choose(owner, store_path(STORE, "toggle"), "1", Accept="application/json")
    assert reply.status == 200
    assert orjson.loads(reply.text) == {"on": True, "text": "Лавка на Садовой: будет на витрине"}


async def test_without_a_script_one_comes_back_to_the_page_that_one_was_on(owner: Browser) -> None:
    here = owner.client.make_url(GROUPS)
    reply = await choose(owner, store_path(STORE, "toggle"), "1", Referer=str(here))
    assert reply.location == GROUPS
    elsewhere = await choose(owner, store_path(STORE, "toggle"), "1", Referer="https://evil.example/catalog/stores/x")
    assert elsewhere.location == STORES


# The run that follows


async def test_switches_lead_to_one_run_some_quiet_seconds_after_the_last(
    owner: Browser, world: World, user: UserId
) -> None:
    await choose(owner, store_path(STORE, "toggle"), "1")
    assert await shelves.wish(world, user) == (SOON, "full", ["choice"])
    world.clock.pass_by(timedelta(seconds=3))
    await choose(owner, group_path(STORE, TEA), "1")
    assert await shelves.wish(world, user) == (SOON + timedelta(seconds=3), "full", ["choice"])
    assert world.queue.nudged == []


async def test_a_run_that_was_wished_for_earlier_is_not_put_off(owner: Browser, world: World, user: UserId) -> None:

    await world.database.write(
        lambda connection: mirrors.want(connection, user, scope=Scope.FULL, reason="connected", at=NOW)
    )
    await choose(owner, store_path(STORE, "toggle"), "1")
    assert await shelves.wish(world, user) == (NOW, "full", ["connected", "choice"])


# Groups


async def test_groups_show_what_is_in_them_with_what_hangs_under_modifications(
    owner: Browser, world: World, user: UserId
) -> None:
    page = await owner.get(GROUPS)
    text = said(page)
    names = [unescape(name) for name in re.findall(r'<h3 id="g\d+"><a [^>]*>(.*?)</a>', page.text)]
    assert names == ["Кофе", "Капсулы", "Чай", "Без группы"]
    assert "Эспрессо, размеры" not in text
    assert "внутри «Кофе»" in text
    assert re.findall(r"(\d+) товар", text.partition("duo")[2]) == ["2", "1", "2", "2"]


@pytest.mark.parametrize("group", [COFFEE, CAPSULES, ROOT])
async def test_a_group_is_switched_on_and_off_and_a_repeat_changes_nothing(
    owner: Browser, world: World, user: UserId, group: GroupId
) -> None:
    path = group_path(STORE, group)
    reply = await choose(owner, path, "1")
    assert (reply.status, reply.location) == (303, GROUPS)
    assert checked(await owner.get(GROUPS), path)
    await choose(owner, path, "1")
    choice = await shelves.shows(world, user)
    assert choice.groups[STORE, group] is True
    assert sum(choice.groups.values()) == 1
    await choose(owner, path, "0")
    assert not checked(await owner.get(GROUPS), path)


async def test_the_first_choice_decides_about_all_groups_that_stand_there(owner: Browser, world: World) -> None:
    await choose(owner, group_path(STORE, TEA), "1")
    assert "Новая группа" not in said(await owner.get(GROUPS))


async def test_a_group_that_appears_later_waits_for_a_decision(owner: Browser, world: World, user: UserId) -> None:

    await choose(owner, group_path(STORE, TEA), "1")
    later = replace(shelves.GROUPS[0], id=GroupId("g-ice"), name="Мороженое")
    await shelves.stock(world, user)
    await world.database.write(lambda connection: _add_group(connection, user, later))
    page = await owner.get(GROUPS)
    assert "Новая группа: Мороженое" in said(page)
    await choose(owner, group_path(STORE, GroupId("g-ice")), "0")
    assert "Новая группа" not in said(await owner.get(GROUPS))


async def _add_group(connection: Any, user: UserId, group: Group) -> None:
    await tills.save(connection, user, TillChanges(groups=(group,)), at=NOW)


async def test_all_groups_go_on_and_off_at_once(owner: Browser, world: World, user: UserId) -> None:
    reply = await owner.post(GROUPS, {"all": "1"})
    assert reply.location == GROUPS
    expected = {(STORE, group) for group in (COFFEE, TEA, CAPSULES, ROOT)}
    choice = await shelves.shows(world, user)
    assert {key for key, on in choice.groups.items() if on} == expected
    await owner.post(GROUPS, {"all": "0"})
    choice = await shelves.shows(world, user)
    assert choice.groups == dict.fromkeys(expected, False)


async def test_showing_later_groups_at_once_leaves_the_present_ones_as_they_are(
    owner: Browser, world: World, user: UserId
) -> None:
    await choose(owner, group_path(STORE, TEA), "1")
    await owner.post(GROUPS, {"new": "1"})
    choice = await shelves.shows(world, user)
    assert choice.shows_group(STORE, TEA)
    assert not choice.shows_group(STORE, COFFEE)
    assert choice.shows_group(STORE, GroupId("that-appears-later"))
    await owner.post(GROUPS, {"new": "0"})
    choice = await shelves.shows(world, user)
    assert not choice.shows_group(STORE, GroupId("that-appears-later"))


async def test_a_store_whose_id_is_no_plain_word_works_too(owner: Browser, world: World, user: UserId) -> None:
    page = await owner.get(STORES)
    for rest in ("groups", "products"):
        assert f'href="{store_path(OTHER, rest)}"' in page.text
        assert (await owner.get(store_path(OTHER, rest))).status == 200
    await choose(owner, store_path(OTHER, "toggle"), "1")
    await choose(owner, group_path(OTHER, COFFEE), "1")
    choice = await shelves.shows(world, user)
    assert choice.stores == {OTHER: True}
    assert choice.groups[OTHER, COFFEE] is True


# Products


async def test_products_stand_by_name_with_their_group_code_and_price(owner: Browser) -> None:
    page = await owner.get(PRODUCTS)
    assert said(page).count("Открыть в VK") == 0
    assert page.h1.replace("\u00a0", " ") == "7 товаров"
    assert named(page) == [
        "ЕЖЕВИЧНЫЙ чай 100%", "Ёлочный чай", "Капсулы <b>крепкие</b>", "Кофе Эспрессо", "Пакет", "Салфетки",
        "Эспрессо двойной",
    ]  # fmt: skip
    assert "549,99 ₽" in said(page)
    assert "Кофе · код 1001" in said(page)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ежевичный", ["ЕЖЕВИЧНЫЙ чай 100%"]),
        ("ЧАЙ ёлоч", ["Ёлочный чай"]),
        ("елочный", ["Ёлочный чай"]),
        ("ЁЖЕВИЧНЫЙ", ["ЕЖЕВИЧНЫЙ чай 100%"]),
        ("\tежевичный ", ["ЕЖЕВИЧНЫЙ чай 100%"]),
        (" 1004 ", ["Капсулы <b>крепкие</b>"]),
        ("100%", ["ЕЖЕВИЧНЫЙ чай 100%"]),
        ("_", []),
        ("%", ["ЕЖЕВИЧНЫЙ чай 100%"]),
        ("1004", ["Капсулы <b>крепкие</b>"]),
        ("  эспрессо   кофе ", ["Кофе Эспрессо"]),
        ("нет такого", []),
        ("'; drop table users; --", []),
        ("ß\ud83d\ude00" * 300, []),
    ],
)
async def test_the_search_takes_words_in_any_order_and_case_and_codes(
    owner: Browser, text: str, found: list[str]
) -> None:
    reply = await owner.client.get(PRODUCTS, params={"q": text}, headers=owner.headers)
    page = Page(reply, await reply.text())
    assert page.status == 200
    assert named(page) == found
    if not found:
        assert "Ничего не нашлось" in said(page)


@pytest.mark.parametrize(
    ("group", "found"),
    [
        (TEA, ["ЕЖЕВИЧНЫЙ чай 100%", "Ёлочный чай"]),
        (COFFEE, ["Кофе Эспрессо", "Эспрессо двойной"]),
        (ROOT, ["Пакет", "Салфетки"]),
        (GroupId("nowhere"), []),
    ],
)
async def test_a_group_filters_the_list(owner: Browser, group: GroupId, found: list[str]) -> None:
    page = await owner.get(f"{PRODUCTS}?g={segment(group)}")
    assert named(page) == found


async def test_each_product_says_where_it_stands_and_why(
    owner: Browser, world: World, user: UserId, services: Services
) -> None:
    await shelves.connect_vk(world, user, services.sealer)
    await shelves.fill_shop(world, user)
    await shelves.stand(
        world,
        user,
        {
            "p1": Status(Standing.IN_STEP),
            "p2": Status(Standing.ZERO_PRICE),
            "p3": Status(Standing.OFF_GROUP, {"group": "Чай"}),
            "p4": Status(Standing.FAILED, {"code": "VK 1405"}),
            "p5": Status(Standing.OFF_STORE, {"store": STORE}),
            "p6": Status(Standing.WAIT_VK, {"code": "VK 9", "until": "2026-11-22T10:00:00+00:00"}),
        },
    )
    page = await owner.get(PRODUCTS)
    text = said(page)
    assert "https://vk.com/market-123?w=product-123_501" in text
    assert "укажите цену на кассе" in text
    assert "группа «Чай» выключена" in text
    assert "На витрине больше нет места" in text
    assert "магазин «Лавка на Садовой» выключен" in text
    assert "продолжим в 13:00" in text
    assert "Ещё не сверили" in text
    assert text.count('href="/sync/problems"') >= 2


async def test_chips_count_and_filter_by_where_products_stand(owner: Browser, world: World, user: UserId) -> None:
    await shelves.stand(
        world,
        user,
        {"p1": Status(Standing.IN_STEP), "p2": Status(Standing.ZERO_PRICE), "p3": Status(Standing.OFF_GROUP)},
    )
    await shelves.goes_from_till(world, user, "p6", item=506)
    await shelves.goes_from_till(world, user, "p7", item=None, standing=None)
    page = await owner.get(PRODUCTS)
    chips = dict(re.findall(r'<a href="[^"]*"[^>]*>([^<]+) <span>(\d+)</span></a>', said(page)))
    assert chips == {
        "Все": "5", "На витрине": "1", "В пути": "2", "Нужны вы": "1", "Не показываем": "1", "Пропали с кассы": "1",
    }  # fmt: skip
    for state, found in {
        "in_vk": ["Кофе Эспрессо"],
        "needs_you": ["Ёлочный чай"],
        "not_shown": ["ЕЖЕВИЧНЫЙ чай 100%"],
        "gone": ["Салфетки"],
        "waiting": ["Капсулы <b>крепкие</b>", "Эспрессо двойной"],
    }.items():
        assert named(await owner.get(f"{PRODUCTS}?state={state}")) == found
    assert named(await owner.get(f"{PRODUCTS}?state=in_vk&q=чай")) == []


async def test_pages_hold_fifty_and_the_last_one_is_reached(owner: Browser, world: World, user: UserId) -> None:
    await shelves.stock(world, user, [product(100 + number, f"Товар {number:04}") for number in range(620)])
    page = await owner.get(PRODUCTS)
    assert len(named(page)) == 50
    assert "1 из 13" in said(page)
    last = await owner.get(f"{PRODUCTS}?page=13")
    assert len(named(last)) == 627 - 600
    assert named(await owner.get(f"{PRODUCTS}?page=99999999")) == named(last)
    assert named(await owner.get(f"{PRODUCTS}?page=-1")) == named(page)
    found = await owner.get(f"{PRODUCTS}?q=товар&page=13")
    assert named(found) == [f"Товар {number:04}" for number in range(600, 620)]


async def test_a_filter_stays_while_one_turns_the_pages(owner: Browser, world: World, user: UserId) -> None:
    await shelves.stock(world, user, [product(100 + number, f"Товар {number:04}", TEA) for number in range(120)])
    page = await owner.get(f"{PRODUCTS}?q=товар&g={TEA}&state=waiting")
    next_page = re.search(r'href="([^"]+)" rel="next"', page.text)
    assert next_page is not None
    assert named(await owner.get(unescape(next_page[1]))) == [f"Товар {number:04}" for number in range(50, 100)]


# Bad input, and who may


@pytest.mark.parametrize("path", [store_path(STORE, "toggle"), group_path(STORE, TEA)])
@pytest.mark.parametrize("data", [{}, {"on": ""}, {"on": "yes"}, {"on": "2"}])
async def test_a_switch_needs_the_wanted_state(
    owner: Browser, world: World, user: UserId, path: str, data: dict[str, str]
) -> None:
    assert (await owner.post(path, data)).status == 400
    assert not (await shelves.shows(world, user)).stores


async def test_a_decision_about_groups_needs_to_be_one(owner: Browser) -> None:
    assert (await owner.post(GROUPS, {"all": "maybe"})).status == 400
    assert (await owner.post(GROUPS, {})).status == 400


async def test_what_the_till_does_not_have_is_not_found(owner: Browser, world: World, user: UserId) -> None:
    for path in (store_path(NOWHERE, "groups"), store_path(NOWHERE, "products")):
        assert (await owner.get(path)).status == 404
    for path in (store_path(NOWHERE, "toggle"), group_path(NOWHERE, TEA), group_path(STORE, GroupId("nowhere"))):
        assert (await choose(owner, path, "1")).status == 404
    assert (await choose(owner, group_path(STORE, shelves.SIZES), "1")).status == 404
    assert (await owner.post(store_path(NOWHERE, "groups"), {"all": "1"})).status == 404
    assert await shelves.wish(world, user) == (None, None, [])


async def test_another_owner_finds_nothing_and_changes_nothing(
    owner: Browser, world: World, user: UserId, new_browser: NewBrowser
) -> None:
    await world.person("other@example.com")
    stranger = await new_browser()
    await stranger.sign_in("other@example.com")
    for path in (GROUPS, PRODUCTS):
        assert (await stranger.get(path)).status == 404
    for path, data in (
        (store_path(STORE, "toggle"), {"on": "1"}),
        (group_path(STORE, TEA), {"on": "1"}),
        (GROUPS, {"all": "1"}),
        (GROUPS, {"new": "1"}),
    ):
        assert (await stranger.post(path, data)).status == 404
    choice = await shelves.shows(world, user)
    assert (choice.stores, choice.groups, choice.new_groups_on) == ({}, {}, frozenset())
    assert "Лавка на Садовой" not in (await stranger.get(STORES)).text


async def test_a_stranger_is_asked_to_sign_in_and_a_post_needs_the_forms_token(
    browser: Browser, world: World, user: UserId
) -> None:
    for path in (STORES, GROUPS, PRODUCTS):
        assert (await browser.get(path)).location.startswith("/login?next=")
    assert (await choose(browser, store_path(STORE, "toggle"), "1")).status == 401
    await browser.sign_in("owner@example.com")
    assert (await browser.post(store_path(STORE, "toggle"), {"on": "1"}, token="forged")).status == 403
    assert (await browser.get(store_path(STORE, "toggle"))).status == 405
    assert not (await shelves.shows(world, user)).stores
