"""The shop and the till in a browser, as far as HTML tells."""

import re

import aiohttp
import pytest

from evosync.sandbox.evotor.till import Store
from evosync.sandbox.web.words import WORDS, preferred
from tests.sandbox.cloud import GROUP, STORE, USER, Cloud

TILL = f"/till/{USER}"


@pytest.fixture
def store(cloud: Cloud) -> Store:
    """The only store, with one group and one product in it."""
    store = cloud.sandbox.account(USER).first
    group = store.add_group("Хлеб", group_id="g-1")
    store.add_product("Батон <нарезной>", "46.50", product_id="p-1", parent_id=group.id, quantity=3, code="7")
    return store


async def page(cloud: Cloud, path: str, **headers: str) -> str:
    """The HTML of a page."""
    async with cloud.session.get(f"{cloud.running.url}{path}", headers=headers) as reply:
        assert reply.status == 200
        return await reply.text()


async def post(cloud: Cloud, path: str, **form: str) -> str:
    """The address to which a form leads."""
    async with cloud.session.post(f"{cloud.running.url}{path}", data=form, allow_redirects=False) as reply:
        assert reply.status == 303
        return reply.headers["Location"]


async def test_the_start_page_leads_to_every_till_and_shop(cloud: Cloud) -> None:
    html = await page(cloud, "/")
    assert f'href="/till/{USER}"' in html
    assert f'href="/shop/{GROUP}"' in html


async def test_the_shop_shows_prices_albums_and_what_is_hidden_or_out(cloud: Cloud) -> None:
    album = cloud.sandbox.add_album(GROUP, "Хлеб & булки")
    cloud.sandbox.add_item(GROUP, "Батон <нарезной>", 129_990, album_ids=[album.id])
    cloud.sandbox.add_item(GROUP, "Чиабатта", 11_200, stock=0)
    cloud.sandbox.add_item(GROUP, "Тайный хлеб", 11_200, hidden=True)
    html = await page(cloud, f"/shop/{GROUP}")
    assert "1\u00a0299,90\u00a0₽" in html
    assert "Батон &lt;нарезной&gt;" in html
    assert "Хлеб &amp; булки" in html
    assert "Нет в наличии" in html
    assert "Тайный хлеб" not in html
    assert "Тайный хлеб" in await page(cloud, f"/shop/{GROUP}?hidden=1")
    inside = await page(cloud, f"/shop/{GROUP}?album={album.id}")
    assert "Батон" in inside
    assert "Чиабатта" not in inside
    assert "Чиабатта" in await page(cloud, f"/shop/{GROUP}?album=0")
    assert "Чиабатта" in await page(cloud, f"/shop/{GROUP}?q=чиаб")


async def test_the_changing_part_comes_only_when_it_changed(cloud: Cloud) -> None:
    html = await page(cloud, f"/shop/{GROUP}")
    found = re.search(r'data-version="(\d+)"', html)
    assert found is not None
    url = f"{cloud.running.url}/shop/{GROUP}/goods"
    async with cloud.session.get(url, params={"version": found[1]}) as reply:
        assert reply.status == 204
    cloud.sandbox.add_item(GROUP, "Чиабатта", 11_200)
    async with cloud.session.get(url, params={"version": found[1]}) as reply:
        assert (reply.status, "Чиабатта" in await reply.text()) == (200, True)


async def test_a_large_shop_comes_in_pages(cloud: Cloud) -> None:
    for number in range(70):
        cloud.sandbox.add_item(GROUP, f"Товар №{number:02d}.", 100)
    first, second = await page(cloud, f"/shop/{GROUP}?album=0"), await page(cloud, f"/shop/{GROUP}?album=0&page=2")
    assert first.count("data-item=") == 60
    assert second.count("data-item=") == 10
    assert (await page(cloud, f"/shop/{GROUP}")).count("data-item=") == 12


async def test_nothing_inline_and_nothing_from_elsewhere(cloud: Cloud, store: Store) -> None:
    for path in ("/", f"/shop/{GROUP}", TILL):
        html = await page(cloud, path)
        assert not re.search(r"<script(?![^>]*src=\"/pages/)|<style|\sstyle=|\son\w+=|https?://(?!127\.0\.0\.1)", html)
    async with cloud.session.get(f"{cloud.running.url}/pages/shop.js") as reply:
        assert (reply.status, reply.content_type) == (200, "text/javascript")
    async with cloud.session.get(f"{cloud.running.url}/pages/../state.py") as reply:
        assert reply.status == 404


async def test_a_price_changed_at_the_till_is_what_the_cloud_tells(cloud: Cloud, store: Store) -> None:
    html = await page(cloud, TILL)
    assert 'value="Батон &lt;нарезной&gt;"' in html
    assert 'value="46,50"' in html
    back = await post(cloud, f"{TILL}/{STORE}/products/p-1?page=1", name="Батон", price="1 047,90", quantity="")
    assert back.endswith("#p-p-1")
    assert "Сохранено" in await page(cloud, back)
    _, product, _ = await cloud.evotor(f"/stores/{STORE}/products/p-1")
    assert (str(product["price"]), product["name"]) == ("1047.9", "Батон")
    assert "quantity" not in product


async def test_a_product_is_taken_off_sale_and_put_back(cloud: Cloud, store: Store) -> None:
    await post(cloud, f"{TILL}/{STORE}/products/p-1", act="toggle")
    assert store.products["p-1"].fields["allow_to_sell"] is False
    assert "Не продаётся" in await page(cloud, TILL)
    await post(cloud, f"{TILL}/{STORE}/products/p-1", act="toggle")
    assert store.products["p-1"].fields["allow_to_sell"] is True


async def test_products_and_groups_are_added_renamed_and_deleted(cloud: Cloud, store: Store) -> None:
    await post(cloud, f"{TILL}/{STORE}/products", name="Чиабатта", price="112", group="g-1", unit="шт")
    assert store.by_name("Чиабатта").parent_id == "g-1"
    await post(cloud, f"{TILL}/{STORE}/groups/g-1", name="Хлеба", act="save")
    assert store.groups["g-1"].name == "Хлеба"
    await post(cloud, f"{TILL}/{STORE}/groups", name="Булки", group="g-1")
    assert [group.parent_id for group in store.groups.values()] == [None, "g-1"]
    await post(cloud, f"{TILL}/{STORE}/groups/g-1", act="delete")
    assert "g-1" not in store.groups
    await post(cloud, f"{TILL}/{STORE}/products/p-1", act="delete")
    assert "p-1" not in store.products
    assert "note=gone" in await post(cloud, f"{TILL}/{STORE}/products/p-1", act="delete")


@pytest.mark.parametrize(
    ("form", "note"), [({"name": "Батон", "price": "дорого"}, "bad_number"), ({"name": " "}, "bad_name")]
)
async def test_what_makes_no_sense_is_not_saved(cloud: Cloud, store: Store, form: dict[str, str], note: str) -> None:
    back = await post(cloud, f"{TILL}/{STORE}/products/p-1", **form)
    assert f"note={note}" in back
    assert "Не сохранено" in await page(cloud, back)
    assert str(store.products["p-1"].price) == "46.50"


async def test_the_till_is_searched_by_name_code_and_group(cloud: Cloud, store: Store) -> None:
    store.add_product("Упаковка", 30, code="8")
    for query, found in (("q=БАТОН", 1), ("q=8", 1), ("group=g-1", 1), ("group=-", 1), ("q=нет", 0), ("", 2)):
        html = await page(cloud, f"{TILL}?{query}")
        assert html.count('name="price" value=') == found


async def test_a_store_can_stop_paying(cloud: Cloud, store: Store) -> None:
    await post(cloud, f"{TILL}/{STORE}/paying")
    assert store.unpaid
    assert "402" in await page(cloud, TILL)


async def test_pages_speak_the_language_of_the_browser_or_of_the_address(cloud: Cloud, store: Store) -> None:
    assert "Take off sale" in await page(cloud, TILL, **{"Accept-Language": "en-GB,en;q=0.9,ru;q=0.5"})
    assert "Снять с продажи" in await page(cloud, TILL, **{"Accept-Language": "de"})
    html = await page(cloud, f"{TILL}?lang=en")
    assert '<html lang="en">' in html
    assert "lang=en" in html


def test_every_word_is_there_in_both_languages() -> None:
    assert all(russian and english for russian, english in WORDS.values())
    assert preferred("ru;q=0.2, en;q=x") == "ru"


async def test_unknown_shops_tills_and_stores_are_404(cloud: Cloud) -> None:
    for path in ("/shop/5", "/shop/x", "/till/none", f"{TILL}?store=none", f"/shop/{'9' * 20}/goods"):
        async with cloud.session.get(f"{cloud.running.url}{path}") as reply:
            assert reply.status == 404
    form = aiohttp.FormData({"name": "x"})
    async with cloud.session.post(f"{cloud.running.url}/till/none/x/products", data=form) as reply:
        assert reply.status == 404
