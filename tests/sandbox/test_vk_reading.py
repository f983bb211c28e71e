"""Reading the shop: VK FACTS 6, 7."""

import time

import orjson
import pytest

from tests.sandbox.cloud import GROUP, Cloud


async def test_new_items_come_first_and_pages_follow(cloud: Cloud) -> None:
    ids = [cloud.sandbox.add_item(GROUP, f"Товар {n}", 100).id for n in range(5)]
    first = await cloud.ok("market.get", owner_id=-GROUP, count=2)
    assert (first["count"], [item["id"] for item in first["items"]]) == (5, [ids[4], ids[3]])
    rest = await cloud.ok("market.get", owner_id=-GROUP, count=200, offset=2)
    assert [item["id"] for item in rest["items"]] == [ids[2], ids[1], ids[0]]
    assert (await cloud.ok("market.get", owner_id=-GROUP, offset=5))["items"] == []


async def test_count_has_its_default_and_its_most(cloud: Cloud) -> None:
    for number in range(101):
        cloud.sandbox.add_item(GROUP, f"Товар {number}", 100)
    assert len((await cloud.ok("market.get", owner_id=-GROUP))["items"]) == 100
    assert await cloud.code("market.get", owner_id=-GROUP, count=201) == 100
    assert await cloud.code("market.get", owner_id=-GROUP, offset=-1) == 100


async def test_unavailable_items_are_listed_only_on_demand_and_deleted_ones_never(cloud: Cloud) -> None:
    shown = cloud.sandbox.add_item(GROUP, "Виден", 100).id
    hidden = cloud.sandbox.add_item(GROUP, "Скрыт", 100, hidden=True).id
    out = cloud.sandbox.add_item(GROUP, "Кончился", 100, stock=0).id
    gone = cloud.sandbox.add_item(GROUP, "Удалён", 100).id
    cloud.sandbox.remove_item(GROUP, gone)
    plain = await cloud.ok("market.get", owner_id=-GROUP)
    whole = await cloud.ok("market.get", owner_id=-GROUP, with_disabled=1)
    assert [item["id"] for item in plain["items"]] == [shown]
    assert [item["id"] for item in whole["items"]] == [out, hidden, shown]


async def test_extended_items_name_their_albums_and_photos_and_are_long(cloud: Cloud) -> None:
    album = cloud.sandbox.add_album(GROUP, "Хлеб")
    cloud.sandbox.add_item(GROUP, "Батон", 4600, album_ids=[album.id], description="Пшеничный батон. " * 20)
    short = (await cloud.ok("market.get", owner_id=-GROUP))["items"][0]
    whole = (await cloud.ok("market.get", owner_id=-GROUP, extended=1))["items"][0]
    assert "albums_ids" not in short
    assert whole["albums_ids"] == [album.id]
    assert 4_500 < len(orjson.dumps(whole)) < 5_500
    by_album = await cloud.ok("market.get", owner_id=-GROUP, album_id=album.id)
    assert by_album["count"] == 1
    assert (await cloud.ok("market.get", owner_id=-GROUP, album_id=album.id + 1))["items"] == []


async def test_dates_filter_by_whole_days(cloud: Cloud) -> None:
    old = cloud.sandbox.add_item(GROUP, "Старый", 100)
    old.updated = time.time() - 10 * 86_400
    new = cloud.sandbox.add_item(GROUP, "Новый", 100)
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
    since = await cloud.ok("market.get", owner_id=-GROUP, date_from=day)
    until = await cloud.ok("market.get", owner_id=-GROUP, date_to=day)
    assert [item["id"] for item in since["items"]] == [new.id]
    assert [item["id"] for item in until["items"]] == [old.id]
    assert await cloud.code("market.get", owner_id=-GROUP, date_from="1.2.2026") == 100


async def test_a_new_item_shows_late_in_listings_where_told_so_but_not_by_id(cloud: Cloud) -> None:
    cloud.sandbox.vk.listing_lag = 60.0
    item = await cloud.add()
    assert (await cloud.ok("market.get", owner_id=-GROUP, with_disabled=1))["items"] == []
    assert (await cloud.read(item))["id"] == item


@pytest.mark.parametrize(("habit", "rows"), [("availability", [1]), ("absent", []), ("zero", [0])])
async def test_a_deleted_item_by_id_depends_on_the_habit_and_an_unknown_one_is_absent(
    cloud: Cloud, habit: str, rows: list[int]
) -> None:
    item = cloud.sandbox.add_item(GROUP, "Удалён", 100).id
    cloud.sandbox.remove_item(GROUP, item)
    cloud.sandbox.vk.removed_by_id = habit  # type: ignore[assignment]  # the three values it takes
    found = await cloud.ok("market.getById", item_ids=f"-{GROUP}_{item},-{GROUP}_999,-5_1")
    assert [row["id"] for row in found["items"]] == rows
    assert found["count"] == len(rows)


async def test_by_id_takes_a_hundred_full_ids(cloud: Cloud) -> None:
    assert await cloud.code("market.getById", item_ids=",".join(f"-{GROUP}_{n}" for n in range(101))) == 100
    assert await cloud.code("market.getById", item_ids="5") == 100


async def test_a_malformed_id_spoils_the_whole_list_or_is_skipped(cloud: Cloud) -> None:
    item = cloud.sandbox.add_item(GROUP, "Батон", 4600).id
    ids = f"-{GROUP}_{item},-{GROUP}_"
    assert await cloud.code("market.getById", item_ids=ids) == 100
    cloud.sandbox.vk.malformed_ids = "skip"
    assert (await cloud.ok("market.getById", item_ids=ids))["count"] == 1


async def test_the_count_may_disagree_with_what_can_be_paged(cloud: Cloud) -> None:
    cloud.sandbox.vk.count_drift = 3
    assert (await cloud.ok("market.get", owner_id=-GROUP))["count"] == 3


async def test_a_list_may_hold_a_false_where_told_so(cloud: Cloud) -> None:
    cloud.sandbox.vk.odd_rows = True
    cloud.sandbox.add_item(GROUP, "Батон", 4600)
    assert False in (await cloud.ok("market.get", owner_id=-GROUP))["items"]


async def test_a_shop_that_is_off_or_not_ours_is_refused(cloud: Cloud) -> None:
    cloud.sandbox.add_person("stranger")
    assert await cloud.code("market.get", "stranger", owner_id=-GROUP) == 15
    assert await cloud.code("market.addAlbum", "stranger", owner_id=-GROUP, title="Хлеб") == 205
    cloud.sandbox.add_item(GROUP, "Батон", 4600)
    cloud.sandbox.communities[GROUP].market_enabled = False
    assert await cloud.code("market.get", owner_id=-GROUP) == 205
    assert await cloud.code("market.getById", item_ids=f"-{GROUP}_1") == 1525
    assert await cloud.code("market.addAlbum", owner_id=-GROUP, title="Хлеб") == 1438
    assert await cloud.code("market.getProductPhotoUploadServer", group_id=GROUP) == 1438


async def test_categories_form_a_tree_with_the_usual_leaf(cloud: Cloud) -> None:
    tree = (await cloud.ok("market.getCategories"))["items"]
    leaves = {leaf["id"] for top in tree for leaf in top["children"]}
    assert 40_932 in leaves
