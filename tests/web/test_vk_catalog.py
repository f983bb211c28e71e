"""The VK shop as the owner sees it: albums, items, and which product each follows."""

import re
from html import unescape

import pytest

from evosync.domain.ids import CommunityId, UserId
from evosync.web.services import Services
from tests.web import shelves
from tests.web.browser import Browser, Page, World
from tests.web.conftest import NewBrowser
from tests.web.shelves import STORE, item

ALBUMS = "/vk-catalog/albums"


@pytest.fixture
async def user(world: World, services: Services) -> UserId:
    user = (await world.person()).id
    await shelves.stock(world, user)
    await shelves.connect_vk(world, user, services.sealer)
    await shelves.fill_shop(world, user)
    await shelves.read(world, user, {})
    return user


@pytest.fixture
async def owner(browser: Browser, user: UserId) -> Browser:
    await browser.sign_in("owner@example.com")
    return browser


def said(page: Page) -> str:
    return unescape(page.text).replace("\u00a0", " ")


def titles(page: Page) -> list[str]:
    return [unescape(title) for title in re.findall(r"<h3>(.*?)</h3>", page.text)]


def line(page: Page, title: str) -> str:
    """What the page says of one item."""
    return said(page).partition(f"<h3>{title}</h3>")[2].partition("</li>")[0]


async def test_the_shop_begins_with_its_albums(owner: Browser) -> None:
    assert (await owner.get("/vk-catalog")).location == ALBUMS


async def test_albums_say_how_much_they_hold_and_whose_they_are(owner: Browser) -> None:
    page = await owner.get(ALBUMS)
    text = said(page)
    assert said(page).count("карточ") >= 3
    assert page.h1.replace("\u00a0", " ") == "2 подборки на витрине"
    assert f'href="{ALBUMS}/0/products">Без подборки' in text
    assert re.findall(r"(\d+) карточ", text) == ["2", "3", "2"]
    assert "идёт за кассой" in text
    assert text.partition("Торты")[2].count("Ваша") == 1


async def test_an_album_shows_its_items_with_pictures_prices_and_what_they_follow(owner: Browser) -> None:
    page = await owner.get(f"{ALBUMS}/11/products")
    assert titles(page) == ["Кофе Эспрессо", "Пропавший товар", "Ёлочный чай"]
    assert 'src="https://sun1.userapi.com/501.jpg"' in page.text
    assert "501 ₽" in said(page)
    coffee = line(page, "Кофе Эспрессо")
    assert "на кассе: Кофе Эспрессо, код 1001" in coffee
    assert f"/catalog/stores/{STORE}/products?q=1001" in coffee
    assert "https://vk.com/market-123?w=product-123_501" in coffee
    assert "Нет в наличии" in line(page, "Ёлочный чай")
    assert "Товар запрещён" in line(page, "Пропавший товар")


async def test_an_item_of_the_owners_own_is_said_to_be_his(owner: Browser) -> None:
    page = await owner.get(f"{ALBUMS}/12/products")
    assert "Ваша карточка" in line(page, "Торт на заказ & свечи")
    assert "на кассе" not in line(page, "Торт на заказ & свечи")


async def test_album_0_holds_what_is_in_no_album(owner: Browser) -> None:
    page = await owner.get(f"{ALBUMS}/0/products")
    assert titles(page) == ["Без подборки", "Ещё без подборки"]


async def test_an_album_is_searched_without_regard_to_case(owner: Browser) -> None:
    assert titles(await owner.get(f"{ALBUMS}/11/products?q=ЁЛОЧНЫЙ")) == ["Ёлочный чай"]
    assert titles(await owner.get(f"{ALBUMS}/11/products?q=+елочный++")) == ["Ёлочный чай"]
    assert titles(await owner.get(f"{ALBUMS}/12/products?q=%26+свечи")) == ["Торт на заказ & свечи"]
    assert "Ничего не нашлось" in said(await owner.get(f"{ALBUMS}/11/products?q=%25"))


async def test_pages_hold_fifty(owner: Browser, world: World, user: UserId) -> None:
    await shelves.fill_shop(world, user, [item(1000 + number, f"Ящик {number:03}", (12,)) for number in range(120)])
    assert len(titles(await owner.get(f"{ALBUMS}/12/products"))) == 50
    assert titles(await owner.get(f"{ALBUMS}/12/products?page=3"))[-2] == "Ящик 119"
    assert titles(await owner.get(f"{ALBUMS}/12/products?page=777"))[-2] == "Ящик 119"


@pytest.mark.parametrize("ident", ["999", "-1", "x", "1e3", "9" * 30, "11%20"])
async def test_an_album_that_is_not_there_is_not_found(owner: Browser, ident: str) -> None:
    assert (await owner.get(f"{ALBUMS}/{ident}/products")).status == 404


async def test_another_owner_sees_only_his_own_shop(
    owner: Browser, world: World, new_browser: NewBrowser, services: Services
) -> None:
    other = await world.person("other@example.com")
    stranger = await new_browser()
    await stranger.sign_in("other@example.com")
    assert (await stranger.get(f"{ALBUMS}/11/products")).status == 404
    assert (await stranger.get(f"{ALBUMS}/0/products")).status == 404
    await shelves.connect_vk(world, other.id, services.sealer, CommunityId(77))
    assert (await stranger.get(f"{ALBUMS}/11/products")).status == 404
    assert titles(await stranger.get(f"{ALBUMS}/0/products")) == []
    assert "Торты" not in (await stranger.get(ALBUMS)).text


async def test_without_a_connection_the_page_leads_to_it(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    page = await browser.get(ALBUMS)
    assert page.status == 200
    assert 'href="/connections"' in page.text


async def test_a_shop_that_was_not_read_yet_says_so(browser: Browser, world: World, services: Services) -> None:
    person = await world.person()
    await shelves.connect_vk(world, person.id, services.sealer)
    await browser.sign_in("owner@example.com")
    assert "Витрину ещё не прочитали" in said(await browser.get(ALBUMS))


async def test_a_stranger_is_asked_to_sign_in(browser: Browser) -> None:
    for path in (ALBUMS, f"{ALBUMS}/0/products"):
        assert (await browser.get(path)).location.startswith("/login?next=")
