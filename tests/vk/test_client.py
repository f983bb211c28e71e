"""The shop as the engine uses it, against the sandbox's reading of VK."""

import asyncio
from dataclasses import replace
from typing import Literal

import pytest

from evosync.domain.action import AddItem, EditItem, Why
from evosync.domain.catalog import Availability, Item
from evosync.domain.connection import VkConnection
from evosync.domain.errors import Full, NotFound, Refused, Rejected, Unavailable
from evosync.domain.ids import AlbumId, CommunityId, ItemId, PhotoId, ProductId
from evosync.domain.links import Link, LinkState
from evosync.sandbox.pictures import draw
from evosync.sandbox.state import Sandbox
from evosync.sync.ports import ShopSide
from evosync.vk.client import VkShop
from tests.vk.conftest import COMMUNITY, OpenSides

REMOVED: tuple[Literal["availability", "absent", "zero"], ...] = ("availability", "absent", "zero")
PICTURE = draw(((235, 240, 245), (120, 150, 190), (90, 120, 160)))


def add(name: str = "Чай «Цейлон»", *, kopecks: int = 19990, description: str = "Листовой чай, 100 г") -> AddItem:
    return AddItem(
        product=ProductId("p"),
        marker="evo-0001",
        name=name,
        description=description,
        kopecks=kopecks,
        stock=3,
        category=40932,
        per_grams=0,
        source=b"",
    )


def edit(item: int, *, hidden: bool = False, name: str | None = None, kopecks: int | None = None) -> EditItem:
    return EditItem(
        product=ProductId("p"),
        item=ItemId(item),
        why=Why.CHANGED,
        hidden=hidden,
        source=b"",
        link=Link(ProductId("p"), "evo-0001", LinkState.LIVE),
        before=Item(ItemId(item), "x"),
        name=name,
        kopecks=kopecks,
    )


def stock_up(sandbox: Sandbox, count: int) -> list[ItemId]:
    return [ItemId(sandbox.add_item(COMMUNITY, f"Товар {number}", 100 + number).id) for number in range(count)]


async def photos(shop: VkShop, count: int) -> tuple[PhotoId, ...]:
    return await shop.photos(PICTURE, count)


def test_the_shop_fills_the_engines_port(shop: VkShop) -> None:
    port: ShopSide = shop
    assert port is shop


async def test_a_listing_that_never_ends_is_given_up(
    shop: VkShop, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evosync.vk.client._ENDLESS", 2)
    monkeypatch.setattr("evosync.vk.client.PAGE", 1)
    stock_up(sandbox, 30)
    with pytest.raises(Unavailable, match="does not end"):
        await shop.read(expected=0, on_page=lambda _: None)


async def test_a_page_that_cannot_be_sent_whole_is_read_in_parts(shop: VkShop, sandbox: Sandbox) -> None:
    sandbox.fault("error", "market.get", code=13, message="response size is too big", times=1)
    ids = stock_up(sandbox, 60)
    items, entries = await shop._page(0, 200)
    assert (sorted(item.id for item in items), entries) == (ids, 60)
    assert sandbox.ledger.calls["market.get"] == 3


async def test_a_community_that_vk_does_not_know_is_rejected(open_sides: OpenSides, connection: VkConnection) -> None:
    unknown = replace(connection, community=CommunityId(4711))
    async with open_sides() as sides, sides.shop(unknown) as shop:
        with pytest.raises(Rejected):
            await shop.community()


async def test_an_empty_shop_is_read_in_one_request(shop: VkShop) -> None:
    reading = await shop.read(expected=0, on_page=lambda _: None)
    assert (reading.albums, dict(reading.items), reading.community.name) == ((), {}, "Чайная")
    assert reading.community.trouble is None
    assert shop.requests == 1


@pytest.mark.parametrize("expected", [0, 450, 2_000])
async def test_all_items_are_read_whatever_was_expected(shop: VkShop, sandbox: Sandbox, expected: int) -> None:
    ids = stock_up(sandbox, 450)
    pages: list[int] = []
    reading = await shop.read(expected=expected, on_page=pages.append)
    assert set(reading.items) == set(ids)
    assert sum(pages) == 450


async def test_hidden_items_are_read_too(shop: VkShop, sandbox: Sandbox) -> None:
    hidden = sandbox.add_item(COMMUNITY, "Скрытый", 100, hidden=True).id
    reading = await shop.read(expected=1, on_page=lambda _: None)
    assert reading.items[ItemId(hidden)].availability is Availability.UNAVAILABLE


async def test_a_false_among_the_items_does_not_end_the_listing(shop: VkShop, sandbox: Sandbox) -> None:
    sandbox.vk.odd_rows = True
    ids = stock_up(sandbox, 3)
    reading = await shop.read(expected=3, on_page=lambda _: None)
    assert set(reading.items) == set(ids)


async def test_more_albums_than_a_page_holds_are_all_read(shop: VkShop, sandbox: Sandbox) -> None:
    for number in range(130):
        sandbox.add_album(COMMUNITY, f"Подборка {number}")
    reading = await shop.read(expected=0, on_page=lambda _: None)
    assert len(reading.albums) == 130


async def test_pages_that_are_too_big_together_are_asked_for_apart(
    shop: VkShop, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.vk.item_bytes = 5_000
    sandbox.vk.max_response_bytes = 1_200_000
    ids = stock_up(sandbox, 700)
    reading = await shop.read(expected=700, on_page=lambda _: None)
    assert set(reading.items) == set(ids)
    assert sandbox.ledger.errors["execute:13"] >= 1


async def test_as_many_pages_travel_together_as_vk_can_answer(shop: VkShop, sandbox: Sandbox) -> None:
    sandbox.vk.item_bytes = 5_000
    stock_up(sandbox, 2_000)
    await shop.read(expected=2_000, on_page=lambda _: None)
    assert not sandbox.ledger.errors
    assert shop.requests <= 4


async def test_the_community_of_another_person_is_read_with_what_is_in_the_way(shop: VkShop, sandbox: Sandbox) -> None:
    sandbox.communities[COMMUNITY].levels.clear()
    community = await shop.community()
    assert community.trouble == "no_rights"


async def test_items_are_found_by_id_and_those_that_are_gone_are_absent(shop: VkShop, sandbox: Sandbox) -> None:
    ids = stock_up(sandbox, 230)
    for how in REMOVED:
        sandbox.vk.removed_by_id = how
        gone = ids.pop()
        sandbox.remove_item(COMMUNITY, gone)
        found = await shop.items([*ids, gone, ItemId(987654)])
        assert set(found) == set(ids)


async def test_no_ids_need_no_request(shop: VkShop) -> None:
    assert await shop.items([]) == {}
    assert shop.requests == 0


async def test_a_created_item_is_read_back_in_the_same_request(shop: VkShop, sandbox: Sandbox) -> None:
    (photo,) = await photos(shop, 1)
    before = shop.requests
    added = await shop.add_item(add(), photo)
    assert shop.requests == before + 1
    assert added.seen is not None
    assert (added.seen.id, added.seen.title, added.seen.kopecks, added.seen.stock) == (
        added.item,
        "Чай «Цейлон»",
        19990,
        3,
    )
    made = sandbox.communities[COMMUNITY].items[added.item]
    assert (made.sku, made.category_id, made.kopecks, made.photo_ids) == ("evo-0001", 40932, 19990, [photo])


async def test_many_creates_share_requests(shop: VkShop, sandbox: Sandbox) -> None:
    ids = [photo for five in await asyncio.gather(*(photos(shop, 5) for _ in range(12))) for photo in five]
    before = shop.requests
    added = await asyncio.gather(*(shop.add_item(add(f"Товар {photo}"), photo) for photo in ids))
    assert len({each.item for each in added}) == 60
    assert all(each.seen is not None for each in added)
    assert shop.requests - before <= 4


async def test_a_refused_create_fails_alone_and_names_the_field(shop: VkShop) -> None:
    good, bad, link, long = await photos(shop, 4)
    results = await asyncio.gather(
        shop.add_item(add(), good),
        shop.add_item(add("Чай"), bad),
        shop.add_item(add(description="Смотрите на www.example.com"), link),
        shop.add_item(add("Ы" * 90 + "&&&"), long),
        return_exceptions=True,
    )
    assert not isinstance(results[0], BaseException)
    fields = [(each.code, each.field) for each in results if isinstance(each, Refused)]
    assert fields == [("VK 100", "name"), ("VK 1408", "description"), ("VK 1421", "name")]


async def test_where_one_create_fails_the_others_succeed_without_a_read_back(shop: VkShop) -> None:
    good, bad = await photos(shop, 2)
    added, refused = await asyncio.gather(
        shop.add_item(add(), good), shop.add_item(add("Чай"), bad), return_exceptions=True
    )
    assert isinstance(refused, Refused)
    assert not isinstance(added, BaseException)
    assert added.item in await shop.items([added.item])


async def test_an_edit_sends_only_what_differs_and_always_the_hidden_flag(shop: VkShop, sandbox: Sandbox) -> None:
    (item,) = stock_up(sandbox, 1)
    seen = await shop.edit_item(edit(item, kopecks=5))
    assert seen is not None
    assert seen.kopecks == 5
    (write,) = sandbox.communities[COMMUNITY].items[item].history
    assert write.params == {"owner_id": "-55", "item_id": str(item), "price": "0.05", "deleted": "0"}


async def test_an_edit_of_a_hidden_item_leaves_it_hidden(shop: VkShop, sandbox: Sandbox) -> None:
    (item,) = stock_up(sandbox, 1)
    await shop.hide_item(item)
    await shop.edit_item(edit(item, hidden=True, name="Другое имя"))
    assert sandbox.communities[COMMUNITY].items[item].hidden


async def test_nothing_to_change_is_a_success(shop: VkShop, sandbox: Sandbox) -> None:
    (item,) = stock_up(sandbox, 1)
    await shop.hide_item(item)
    await shop.hide_item(item)
    assert sandbox.ledger.errors["market.edit:100"] == 1


async def test_an_edit_of_an_item_that_is_gone_says_so(shop: VkShop) -> None:
    with pytest.raises(NotFound) as caught:
        await shop.edit_item(edit(4711, kopecks=100))
    assert caught.value.code == "VK 1403"


async def test_albums_are_made_renamed_filled_and_emptied(shop: VkShop, sandbox: Sandbox) -> None:
    items = stock_up(sandbox, 3)
    album = await shop.add_album("Чай")
    await shop.rename_album(album, "Чай и кофе")
    await shop.place(album, items)
    await shop.unplace(items[0], album)
    made = sandbox.communities[COMMUNITY].albums[album]
    assert (made.title, list(made.item_ids)) == ("Чай и кофе", list(items[1:]))


async def test_items_that_stand_in_the_album_already_are_no_error(shop: VkShop, sandbox: Sandbox) -> None:
    items = stock_up(sandbox, 5)
    album = await shop.add_album("Чай")
    await shop.place(album, items[2:3])
    await shop.place(album, items[2:3])
    await shop.place(album, items)
    assert set(sandbox.communities[COMMUNITY].albums[album].item_ids) == set(items)


async def test_one_item_that_is_gone_does_not_keep_the_others_out_of_the_album(shop: VkShop, sandbox: Sandbox) -> None:
    items = stock_up(sandbox, 5)
    album = await shop.add_album("Чай")
    with pytest.raises(NotFound, match=r"items 4711$"):
        await shop.place(album, [*items[:2], ItemId(4711), *items[2:]])
    assert set(sandbox.communities[COMMUNITY].albums[album].item_ids) == set(items)


async def test_a_full_album_takes_what_it_can(shop: VkShop, sandbox: Sandbox) -> None:
    sandbox.vk.max_album_items = 3
    items = stock_up(sandbox, 5)
    album = await shop.add_album("Чай")
    with pytest.raises(Full) as caught:
        await shop.place(album, items)
    assert caught.value.code == "VK 1406"
    assert len(sandbox.communities[COMMUNITY].albums[album].item_ids) == 3


async def test_an_album_that_is_gone_is_not_asked_for_again_and_again(shop: VkShop, sandbox: Sandbox) -> None:
    items = stock_up(sandbox, 5)
    with pytest.raises(NotFound) as caught:
        await shop.place(AlbumId(4711), items)
    assert caught.value.code == "VK 1402"
    assert sandbox.ledger.calls["market.addToAlbum"] == 1


async def test_five_photos_of_one_picture_take_one_upload(shop: VkShop, sandbox: Sandbox) -> None:
    found = await photos(shop, 5)
    assert len(set(found)) == 5
    assert sandbox.ledger.calls["upload"] == 1
    assert sandbox.ledger.calls["market.saveProductPhotoBulk"] == 1


async def test_where_vk_lacks_the_bulk_route_photos_go_singly(shop: VkShop, sandbox: Sandbox) -> None:
    sandbox.fault("error", "market.saveProductPhotoBulk", code=3, times=None)
    assert len(set(await photos(shop, 2))) == 2
    assert sandbox.ledger.calls["market.saveProductPhoto"] == 2


async def test_a_failed_upload_is_repeated_with_a_fresh_address(shop: VkShop, sandbox: Sandbox) -> None:
    sandbox.fault("error", "upload", message="ERR_UPLOAD_BAD_URL: too old")
    sandbox.fault("http", "upload")
    assert len(await photos(shop, 5)) == 5
    assert sandbox.ledger.calls["market.getProductPhotoUploadServer"] == 3


async def test_a_picture_that_vk_does_not_take_is_refused(shop: VkShop) -> None:
    with pytest.raises(Refused) as caught:
        await shop.photos(b"no picture at all", 1)
    assert caught.value.field == "photo"


async def test_pictures_are_sent_to_vk_and_to_nobody_else(shop: VkShop, sandbox: Sandbox) -> None:
    allows = shop._photos._transport._is_picture_host
    own = sandbox.base_url
    assert own is not None
    assert allows(f"{own}/vk/upload/x")
    assert allows("https://pu.vk.com/c1/ss2/upload.php?x=1")
    assert allows("https://pu.vk.ru/x")
    assert allows("https://sun1.userapi.com/x")
    for strange in (
        "http://pu.vk.com/x",
        "https://pu.vk.com:8443/x",
        "https://vk.com.example.org/x",
        "https://evilvk.com/x",
        "https://a:b@pu.vk.com/x",
        "http://127.0.0.1:1/x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "https://[::1",
        "",
    ):
        assert not allows(strange), strange


async def test_a_token_that_was_revoked_rejects_every_call(shop: VkShop, sandbox: Sandbox) -> None:
    sandbox.revoke("vk-token-of-the-tests")
    with pytest.raises(Rejected) as caught:
        await shop.read(expected=1_000, on_page=lambda _: None)
    assert caught.value.code == "VK 5"


async def test_two_shops_of_one_token_share_a_dispatcher(open_sides: OpenSides, connection: VkConnection) -> None:
    async with open_sides() as sides:
        async with sides.shop(connection) as one, sides.shop(connection) as other:
            await asyncio.gather(one.community(), other.community())
            assert one.requests == 1, "both calls travelled in one request"
        with pytest.raises(Unavailable):
            await one.community()
