from typing import Any

import orjson
import pytest

from evosync.domain.catalog import Album, Availability, Community, ShopTrouble
from evosync.domain.digest import digest
from evosync.domain.ids import AlbumId, CommunityId, ItemId, PhotoId
from evosync.vk import wire
from evosync.vk.faults import Fault
from evosync.vk.wire import Broken, Category, Reply, UploadRefused


def raw_item(**fields: Any) -> dict[str, Any]:
    """As `market.get` gives it with `extended=1` in 5.199."""
    return {
        "id": 7,
        "owner_id": -55,
        "title": "Чай &quot;Цейлон&quot;",
        "description": "Листовой, 100 г",
        "price": {"amount": "19990", "currency": {"id": 643, "name": "RUB", "title": "₽"}, "text": "199.90 ₽"},
        "availability": 0,
        "category": {"id": 40932, "name": "Чай", "inner_type": "market_market_category_nested"},
        "thumb_photo": "https://sun9-1.userapi.com/s/v1/ig2/abc.jpg?quality=95",
        "sku": "evo-1",
        "stock_amount": 3,
        "albums_ids": [4, 5],
        "likes": {"count": 0, "user_likes": 0},
    } | fields


def test_an_item_is_read_whole_and_its_texts_stay_as_vk_gives_them() -> None:
    item = wire.read_item(raw_item())
    assert item is not None
    assert (item.id, item.title, item.description) == (7, "Чай &quot;Цейлон&quot;", "Листовой, 100 г")
    assert (item.kopecks, item.currency, item.stock, item.sku) == (19990, 643, 3, "evo-1")
    assert (item.availability, item.albums, item.category) == (Availability.AVAILABLE, (4, 5), 40932)


def test_sizes_of_pictures_are_passed_over_whatever_is_in_them() -> None:
    odd = 'Чай "sizes":[ ] с мятой'
    body = orjson.dumps(
        {"response": [{"title": odd, "photos": [{"id": 5, "sizes": [{"url": "https://x/1", "type": "s"}]}]}] * 2}
    )
    reply = wire.read_reply(200, body)
    assert isinstance(reply, wire.Reply)
    assert reply.value == [{"title": odd, "photos": [{"id": 5, "sizes": []}]}] * 2
    bracket = wire.read_reply(200, b'{"response":[{"sizes":[{"url":"x]y"}],"id":1}]}')
    assert isinstance(bracket, wire.Reply)
    assert bracket.value[0]["id"] == 1
    with pytest.raises(wire.Broken):
        wire.read_reply(200, body[:-20])


@pytest.mark.parametrize("odd", [False, None, [], "7", 7, {}, {"id": 0}, {"id": False}, {"id": "x"}])
def test_what_is_no_item_is_left_out(odd: object) -> None:
    assert wire.read_item(odd) is None


def test_an_item_read_the_long_way_equals_the_same_item_read_the_short_way() -> None:
    quick = wire.read_item(raw_item())
    assert wire.read_item(raw_item(id="7", stock_amount="3", availability="0")) == quick
    assert wire.read_item(raw_item(reject_info={})) == quick


@pytest.mark.parametrize(
    ("fields", "attribute", "value"),
    [
        ({"price": []}, "kopecks", None),
        ({"price": {"amount": ""}}, "kopecks", None),
        ({"price": {"amount": 100, "currency": []}}, "currency", None),
        ({"availability": 2}, "availability", Availability.UNAVAILABLE),
        ({"availability": 1}, "availability", Availability.REMOVED),
        ({"availability": True}, "availability", Availability.REMOVED),
        ({"availability": 17}, "availability", Availability.AVAILABLE),
        ({"albums_ids": False}, "albums", ()),
        ({"category": []}, "category", None),
        ({"category": 1, "category_v2": {"id": 5}}, "category", 1),
        ({"category": None, "category_v2": {"id": 5}}, "category", 5),
        ({"title": None}, "title", ""),
        ({"thumb_photo": False}, "photo_url", ""),
        ({"reject_info": {"title": "Отклонён", "text": "дубль"}}, "rejection", "Отклонён: дубль"),
        ({"stock_amount": -1}, "stock", -1),
    ],
)
def test_odd_values_are_read_as_well_as_can_be(fields: dict[str, object], attribute: str, value: object) -> None:
    item = wire.read_item(raw_item(**fields))
    assert item is not None
    assert getattr(item, attribute) == value


@pytest.mark.parametrize("name", ["sku", "stock_amount", "albums_ids"])
def test_a_field_that_vk_does_not_name_is_none_and_not_empty(name: str) -> None:
    raw = raw_item()
    del raw[name]
    item = wire.read_item(raw)
    assert item is not None
    assert {"sku": item.sku, "stock_amount": item.stock, "albums_ids": item.albums}[name] is None


def test_the_face_covers_what_the_mirror_writes_and_the_digest_all_else() -> None:
    def digests(**fields: Any) -> tuple[bytes, bytes]:
        item = wire.read_item(raw_item(**fields))
        assert item is not None
        return item.face, item.digest

    face, whole = digests()
    visible: list[dict[str, object]] = [{"title": "x"}, {"description": "x"}, {"stock_amount": 4}, {"availability": 2}]
    for change in visible:
        assert digests(**change)[0] != face
        assert digests(**change)[1] != whole
    other: list[dict[str, object]] = [
        {"albums_ids": [4]},
        {"sku": "x"},
        {"category": {"id": 1}},
        {"reject_info": {"text": "x"}},
    ]
    for change in other:
        assert digests(**change)[0] == face
        assert digests(**change)[1] != whole
    same = "https://sun9-77.userapi.com/s/v1/ig2/abc.jpg?as=1x1"
    assert digests(likes={"count": 5}) == digests(thumb_photo=same) == (face, whole)


def test_items_of_two_communities_are_kept_apart() -> None:
    seen = wire.read_owned_items({"items": [raw_item(), raw_item(owner_id=-66, title="other"), False]})
    assert {key: item.title for key, item in seen.items()} == {
        (-55, 7): "Чай &quot;Цейлон&quot;",
        (-66, 7): "other",
    }


@pytest.mark.parametrize(
    ("kopecks", "text"), [(1, "0.01"), (100, "1.00"), (19990, "199.90"), (1_000_000_005, "10000000.05")]
)
def test_money_is_sent_in_roubles_with_a_point(kopecks: int, text: str) -> None:
    assert wire.rub(kopecks) == text


def test_a_reply_with_errors_of_inner_calls_keeps_their_order() -> None:
    body = orjson.dumps(
        {
            "response": [False, 1, False],
            "execute_errors": [
                {"method": "market.add", "error_code": 1405, "error_msg": "full"},
                {"method": "market.edit", "error_code": 1403, "error_msg": "gone"},
            ],
        }
    )
    faults = (Fault(1405, "full", "market.add"), Fault(1403, "gone", "market.edit"))
    assert wire.read_reply(200, body) == Reply([False, 1, False], faults)


def test_an_error_arrives_with_http_200() -> None:
    assert wire.read_reply(200, b'{"error":{"error_code":6,"error_msg":"Too many"}}') == Fault(6, "Too many")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (502, b"<html>", "VK HTTP 502"),
        (500, b'{"response":1}', "VK HTTP 500"),
        (414, b"<html>", "VK HTTP 414"),
        (200, b'{"response":[1,2', "VK body"),
        (200, b"", "VK body"),
        (200, b"[]", "VK shape"),
        (200, b"{}", "VK shape"),
    ],
)
def test_what_is_no_reply_of_the_api_is_called_broken(status: int, body: bytes, code: str) -> None:
    with pytest.raises(Broken) as caught:
        wire.read_reply(status, body)
    assert caught.value.code == code


def test_albums_are_read_and_odd_entries_left_out() -> None:
    albums, entries = wire.read_albums({"count": 3, "items": [{"id": 3, "title": "Чай", "count": 9}, False, {"id": 0}]})
    assert entries == 3
    assert albums == (Album(AlbumId(3), "Чай", 9, digest(3, "Чай", 9)),)


def raw_community(**fields: Any) -> dict[str, Any]:
    market = {"enabled": 1, "currency": {"id": 643, "title": "₽"}}
    return {"id": 55, "name": "Чайная", "is_admin": 1, "admin_level": 3, "market": market} | fields


@pytest.mark.parametrize(
    ("fields", "trouble"),
    [
        ({}, None),
        ({"deactivated": "banned"}, ShopTrouble.DEACTIVATED),
        ({"admin_level": 1}, ShopTrouble.NO_RIGHTS),
        ({"admin_level": 2}, None),
        ({"is_admin": 0, "admin_level": None}, ShopTrouble.NO_RIGHTS),
        ({"is_admin": True, "admin_level": None}, None),
        ({"market": {"enabled": 0}}, ShopTrouble.SHOP_OFF),
        ({"market": []}, ShopTrouble.SHOP_OFF),
        ({"market": {"enabled": True, "currency": {"id": 933}}}, ShopTrouble.CURRENCY),
    ],
)
def test_what_is_in_the_way_of_a_community_is_named(fields: dict[str, object], trouble: ShopTrouble | None) -> None:
    found = wire.read_community({"groups": [raw_community(**fields)], "profiles": []}, CommunityId(55))
    assert found is not None
    assert found.trouble == trouble


def test_a_community_is_also_found_in_the_older_shape() -> None:
    found = wire.read_community([raw_community()], CommunityId(55))
    assert found == Community(CommunityId(55), "Чайная", 643, "₽", None)


def test_another_community_is_not_taken_for_the_one_that_was_asked_for() -> None:
    assert wire.read_community({"groups": [raw_community(id=56)]}, CommunityId(55)) is None


def test_the_leaves_of_the_category_tree_come_with_their_paths() -> None:
    tree = {
        "count": 1,
        "items": [
            {"id": 1, "name": "Еда", "children": [{"id": 2, "name": "Чай"}, {"id": 3, "name": "Кофе", "children": []}]},
            False,
        ],
    }
    assert wire.read_categories(tree) == (Category(2, ("Еда", "Чай")), Category(3, ("Еда", "Кофе")))


def test_the_reply_of_the_picture_host_is_handed_on_untouched() -> None:
    body = '{ "sha":"1",  "meta":{"имя":"x"} }'
    assert wire.read_upload(200, body.encode()) == body


@pytest.mark.parametrize("key", ["error", "error_msg"])
def test_an_upload_error_with_http_200_is_seen(key: str) -> None:
    answer = wire.read_upload(200, orjson.dumps({key: "ERR_UPLOAD_BAD_IMAGE_SIZE: 400x400"}))
    assert answer == UploadRefused("ERR_UPLOAD_BAD_IMAGE_SIZE: 400x400")


@pytest.mark.parametrize(("status", "body"), [(502, b"{}"), (200, b"<html>"), (200, b"[1]"), (413, b"too big")])
def test_an_upload_without_a_proper_answer_is_broken(status: int, body: bytes) -> None:
    with pytest.raises(Broken):
        wire.read_upload(status, body)


def test_saved_photos_are_read_from_both_routes() -> None:
    assert wire.read_photo_ids({"photo_id": 5}) == (PhotoId(5),)
    assert wire.read_photo_ids([{"photo_id": 5}, False, {"photo_id": 6}]) == (PhotoId(5), PhotoId(6))


def test_ids_are_taken_from_a_page_with_false_in_it() -> None:
    assert [item.id for item in wire.read_items({"count": 2, "items": [False, raw_item()]})] == [ItemId(7)]
