"""Writing items: VK FACTS 1, 2, 8."""

import pytest

from evosync.sandbox.vk.rules import length, read_back
from tests.sandbox.cloud import GROUP, Cloud


async def test_a_price_in_roubles_reads_back_as_a_text_of_kopecks(cloud: Cloud) -> None:
    item = await cloud.read(await cloud.add(price="199.90"))
    assert item["price"]["amount"] == "19990"
    assert item["price"]["currency"]["id"] == 643


@pytest.mark.parametrize("price", ["199,90", "1 299", "-1", "", "abc", "1e3", "1000000000000"])
async def test_a_price_that_is_no_plain_decimal_is_refused(cloud: Cloud, price: str) -> None:
    reply = await cloud.vk("market.add", **await cloud.goods(price=price))
    assert reply["error"]["error_code"] == 100
    assert "price" in reply["error"]["error_msg"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Чай", 100),
        ("  Чай  ", 100),
        ("я" * 101, 100),
        ("Чашка «Лес» " + '"' * 30, 1421),
        ("Букет " + "🍓" * 12, 1421),
    ],
)
async def test_a_name_outside_the_limits_is_refused(cloud: Cloud, name: str, code: int) -> None:
    assert await cloud.code("market.add", **await cloud.goods(name=name)) == code


async def test_a_name_of_exactly_the_limits_is_accepted(cloud: Cloud) -> None:
    await cloud.add(name="Сыры")
    await cloud.add(name="я" * 100)


def test_length_counts_as_vk_stores_the_name() -> None:
    assert length("Хлеб") == 4
    assert length("\"'&!") == 20
    assert length("<>") == 8
    assert length("$\\") == 12
    assert length("🍓") == len("&#127827;")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"description": "Коротко"}, 100),
        ({"description": "Заказ на сайте https://example.ru/хлеб"}, 1408),
        ({"description": "Пишите на www.example и звоните"}, 1408),
        ({"description": "Подробности на example.ru сегодня"}, 1408),
        ({"category_id": None}, 100),
        ({"category_id": 999_999}, 100),
        ({"sku": "x" * 51}, 100),
        ({"stock_amount": -2}, 100),
        ({"stock_amount": 1_000_000}, 100),
        ({"stock_amount": "1.5"}, 100),
        ({"deleted": "true"}, 100),
        ({"url": "x" * 321}, 100),
        ({"photo_ids": "1,2,3,4,5"}, 100),
        ({"weight": 100}, 1429),
        ({"name": None}, 100),
        ({"owner_id": GROUP}, 100),
        ({"owner_id": None}, 100),
        ({"owner_id": -999}, 205),
        ({"main_photo_id": None}, 100),
        ({"main_photo_id": 1}, 100),
        ({"variant_ids": "5"}, 1416),
    ],
)
async def test_an_add_that_breaks_a_rule_is_refused_and_makes_nothing(
    cloud: Cloud, changes: dict[str, object], code: int
) -> None:
    assert await cloud.code("market.add", **await cloud.goods(**changes)) == code
    assert not cloud.sandbox.communities[GROUP].items


async def test_the_same_add_twice_makes_two_items_of_one_sku(cloud: Cloud) -> None:
    first = await cloud.add(sku="evo-1")
    second = await cloud.add(sku="evo-1")
    assert cloud.sandbox.communities[GROUP].duplicates() == {"evo-1": [first, second]}


async def test_a_photo_belongs_to_one_item_for_ever(cloud: Cloud) -> None:
    photo = await cloud.photo()
    item = await cloud.add(main_photo_id=photo)
    reply = await cloud.vk("market.add", **await cloud.goods(main_photo_id=photo))
    assert reply["error"]["error_code"] == 100
    assert "already belongs to another item" in reply["error"]["error_msg"]
    await cloud.edit(item, main_photo_id=await cloud.photo())
    assert await cloud.code("market.add", **await cloud.goods(main_photo_id=photo)) == 100


async def test_a_photo_of_another_community_is_refused(cloud: Cloud) -> None:
    cloud.sandbox.add_community(GROUP + 1, "Другая", "vk-owner")
    photo = await cloud.photo()
    assert await cloud.code("market.add", **await cloud.goods(owner_id=-GROUP - 1, main_photo_id=photo)) == 100


async def test_no_photo_is_fine_once_the_option_says_so(cloud: Cloud) -> None:
    cloud.sandbox.vk.photo_required = False
    assert (await cloud.read(await cloud.add(main_photo_id=None))).get("thumb_photo") is None


@pytest.mark.parametrize(("stock", "availability"), [(0, 2), (1, 0), (-1, 0), (None, 0)])
async def test_stock_decides_whether_an_item_is_available(cloud: Cloud, stock: int | None, availability: int) -> None:
    item = await cloud.read(await cloud.add(stock_amount=stock))
    assert item["availability"] == availability
    assert item.get("stock_amount") == stock


async def test_a_hidden_item_is_unavailable(cloud: Cloud) -> None:
    assert (await cloud.read(await cloud.add(deleted=1)))["availability"] == 2


async def test_an_edit_changes_only_what_it_names(cloud: Cloud) -> None:
    item = await cloud.add(sku="evo-9", stock_amount=5)
    before = await cloud.read(item, extended=1)
    assert (await cloud.edit(item, price="210", deleted=0))["response"] == 1
    after = await cloud.read(item, extended=1)
    assert after["price"]["amount"] == "21000"
    assert {k: v for k, v in after.items() if k != "price"} == {k: v for k, v in before.items() if k != "price"}


async def test_an_edit_without_deleted_puts_a_hidden_item_back_on_show(cloud: Cloud) -> None:
    item = await cloud.add(deleted=1)
    await cloud.edit(item, price="5")
    assert (await cloud.read(item))["availability"] == 0


async def test_an_edit_with_deleted_keeps_a_hidden_item_hidden(cloud: Cloud) -> None:
    item = await cloud.add(deleted=1)
    await cloud.edit(item, price="5", deleted=1)
    assert (await cloud.read(item))["availability"] == 2


async def test_an_edit_that_changes_nothing_is_refused_and_no_write(cloud: Cloud) -> None:
    item = await cloud.add()
    reply = await cloud.edit(item, price="199.90", name=" Хлеб  ржаной ", deleted=0)
    assert reply["error"]["error_code"] == 100
    assert "nothing to change" in reply["error"]["error_msg"]
    assert cloud.sandbox.communities[GROUP].writes == {"market.add": 1}
    cloud.sandbox.vk.refuse_empty_edit = False
    assert (await cloud.edit(item, price="199.90", deleted=0))["response"] == 1


async def test_editing_what_is_gone_says_so(cloud: Cloud) -> None:
    item = await cloud.add()
    await cloud.ok("market.delete", owner_id=-GROUP, item_id=item)
    assert (await cloud.edit(item, price="5"))["error"]["error_code"] == 1403
    assert (await cloud.edit(item + 1, price="5"))["error"]["error_code"] == 1403


async def test_a_deleted_item_can_be_restored_for_a_while(cloud: Cloud) -> None:
    item = await cloud.add()
    assert await cloud.code("market.restore", owner_id=-GROUP, item_id=item) == 1518
    await cloud.ok("market.delete", owner_id=-GROUP, item_id=item)
    assert await cloud.code("market.delete", owner_id=-GROUP, item_id=item) == 1403
    await cloud.ok("market.restore", owner_id=-GROUP, item_id=item)
    assert (await cloud.read(item))["availability"] == 0
    await cloud.ok("market.delete", owner_id=-GROUP, item_id=item)
    cloud.sandbox.vk.restore_seconds = -1
    assert await cloud.code("market.restore", owner_id=-GROUP, item_id=item) == 1400


async def test_a_full_shop_takes_no_more_items_but_edits_go_on(cloud: Cloud) -> None:
    cloud.sandbox.vk.max_items = 1
    item = await cloud.add()
    assert await cloud.code("market.add", **await cloud.goods()) == 1405
    assert (await cloud.edit(item, price="5", deleted=0))["response"] == 1


async def test_adds_meet_a_captcha_after_so_many(cloud: Cloud) -> None:
    cloud.sandbox.vk.captcha_after_adds = 1
    item = await cloud.add()
    reply = await cloud.vk("market.add", **await cloud.goods())
    assert reply["error"]["error_code"] == 14
    assert {"captcha_sid", "captcha_img", "redirect_uri"} <= reply["error"].keys()
    assert (await cloud.edit(item, price="5", deleted=0))["response"] == 1


async def test_texts_read_back_as_vk_keeps_them(cloud: Cloud) -> None:
    item = await cloud.read(await cloud.add(name="  Чай   «Ассам»  ", description="Крепкий   чай\r\nс  мёдом  "))
    assert (item["title"], item["description"]) == ("Чай «Ассам»", "Крепкий чай\nс мёдом")


def test_the_stronger_habit_of_reading_back_also_makes_entities() -> None:
    assert read_back(' "A" & B ', style="entities", one_line=True) == "&quot;A&quot; &amp; B"
    assert read_back("  A  ", style="raw", one_line=True) == "  A  "


async def test_prices_read_back_a_hundred_times_too_high_where_told_so(cloud: Cloud) -> None:
    item = await cloud.add(price="10")
    assert (await cloud.read(item))["price"]["amount"] == "1000"
    cloud.sandbox.vk.price_read_percent = 10_000
    assert (await cloud.read(item))["price"]["amount"] == "100000"


async def test_the_history_of_an_item_holds_each_write_that_took_effect(cloud: Cloud) -> None:
    item = await cloud.add(sku="evo-3")
    await cloud.edit(item, price="5", deleted=0)
    await cloud.edit(item, price="5", deleted=0)
    history = cloud.sandbox.communities[GROUP].items[item].history
    assert [write.method for write in history] == ["market.add", "market.edit"]
    assert history[1].params["price"] == "5"


async def test_parameters_that_vk_does_not_know_are_dropped_and_noted(cloud: Cloud) -> None:
    await cloud.add(stok_amount=5)
    assert cloud.sandbox.ledger.unknown_parameters == {"market.add:stok_amount": 1}
