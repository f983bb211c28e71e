from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evosync.domain.catalog import Group, Product
from evosync.domain.errors import (
    CloudError,
    NotFound,
    Operators,
    Rejected,
    Throttled,
    Unavailable,
    Unpaid,
)
from evosync.domain.ids import LONGEST, ROOT, GroupId, ProductId, StoreId
from evosync.evotor import wire

STORE = StoreId("20240115-7A3C-40D1-80B2-5C0F1E2A9B31")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)

SAMPLES = Path(__file__).parents[2].parent / "shared" / "contracts" / "evotor" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample payloads are not beside the repository")


def one(**fields: object) -> Product:
    return wire.product({"id": "p1", **fields}, STORE)


def sample_products(name: str) -> dict[str, Product]:
    found = wire.products(wire.page((SAMPLES / name).read_bytes()).rows, STORE)
    return {product.code or product.name: product for product in found}


def test_a_product_is_read_whole() -> None:
    body = orjson.dumps(
        {
            "items": [
                {
                    "id": "11111111-aaaa-4bbb-8ccc-000000000001",
                    "parent_id": "g1",
                    "type": "DAIRY_MARKED",
                    "name": "Сыр весовой",
                    "code": "26",
                    "article_number": "С-1",
                    "price": 845.5,
                    "quantity": 3.125,
                    "measure_name": "кг",
                    "allow_to_sell": True,
                    "description": "Твёрдый",
                    "store_id": "another spelling",
                    "updated_at": "2026-04-11T17:42:05.003+0000",
                }
            ],
            "paging": {},
        }
    )
    (product,) = wire.products(wire.page(body).rows, STORE)
    assert product == Product(
        id=ProductId("11111111-aaaa-4bbb-8ccc-000000000001"),
        store=STORE,
        name="Сыр весовой",
        group=GroupId("g1"),
        kopecks=84_550,
        quantity=Decimal("3.125"),
        unit="кг",
        kind="DAIRY_MARKED",
        sellable=True,
        description="Твёрдый",
        code="26",
        article="С-1",
        updated_at=datetime(2026, 4, 11, 17, 42, 5, 3000, tzinfo=UTC),
        digest=product.digest,
    )


@pytest.mark.parametrize(
    ("price", "kopecks"),
    [
        (189, 18_900),
        (79.9, 7_990),
        (0.01, 1),
        (0.1 + 0.2, 30),
        (9_999_999.99, 999_999_999),
        (0, 0),
        (-0.0, 0),
        ("12.5", 1_250),
        ("1 234,50", 123_450),
        (99.999, 10_000),
        (1.005, 101),
        (2.675, 268),
        (0.004, 0),
        (None, None),
        ("", None),
        ("дорого", None),
        ("NaN", None),
        (True, None),
        ([1], None),
        (-1, None),
        (-0.01, None),
        (10**40, None),
        (1e300, None),
    ],
)
def test_a_price_becomes_exact_kopecks(price: object, kopecks: int | None) -> None:
    assert wire.kopecks(price) == kopecks


@given(st.integers(min_value=0, max_value=wire.MAX_KOPECKS))
def test_no_price_of_two_decimals_is_ever_off_by_a_kopeck(kopecks: int) -> None:
    roubles = f"{kopecks // 100}.{kopecks % 100:02}"
    assert wire.kopecks(orjson.loads(roubles)) == kopecks
    assert wire.kopecks(roubles) == kopecks


@given(st.integers(min_value=0, max_value=10**10))
def test_a_third_decimal_rounds_half_up(tenths_of_a_kopeck: int) -> None:
    price = orjson.loads(f"{tenths_of_a_kopeck // 1000}.{tenths_of_a_kopeck % 1000:03}")
    assert wire.kopecks(price) == (tenths_of_a_kopeck + 5) // 10


@pytest.mark.parametrize(
    ("stock", "quantity"),
    [
        (12, Decimal(12)),
        (12.0, Decimal(12)),
        ("12.000", Decimal(12)),
        ("0.000", Decimal(0)),
        (-37, Decimal(-37)),
        (3.125, Decimal("3.125")),
        ("3.1250", Decimal("3.125")),
        (7.350000000001, Decimal("7.35")),
        (1_000_000, Decimal(1_000_000)),
        (None, None),
        ("много", None),
        (1e30, None),
    ],
)
def test_a_quantity_has_one_form_for_one_value(stock: object, quantity: Decimal | None) -> None:
    found = wire.quantity(stock)
    assert str(found) == str(quantity)


def test_equal_products_have_equal_digests_however_they_are_spelt() -> None:
    assert one(price=5, quantity=2) == one(price="5.00", quantity="2.000", barcodes=["new"], tax="VAT_22")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "b"},
        {"price": 1.01},
        {"price": None},
        {"quantity": 3},
        {"measure_name": "г"},
        {"type": "SERVICE"},
        {"allow_to_sell": False},
        {"description": "d"},
        {"code": "9"},
        {"article_number": "9"},
        {"parent_id": "g2"},
        {"updated_at": "2026-04-11T17:42:05.004+0000"},
    ],
)
def test_any_change_changes_the_digest(change: dict[str, object]) -> None:
    before = {"name": "a", "price": 1, "quantity": 2, "updated_at": "2026-04-11T17:42:05.003+0000"}
    assert one(**before).digest != one(**{**before, **change}).digest


def test_the_digest_tells_stores_apart() -> None:
    row = {"id": "p1"}
    assert wire.product(row, STORE).digest != wire.product(row, StoreId("other")).digest


def test_what_is_missing_is_not_invented() -> None:
    assert one() == one(name=None, price=None, quantity=None, allow_to_sell=None, description=None, parent_id=None)
    bare = one()
    assert (bare.name, bare.group, bare.kopecks, bare.quantity) == ("", ROOT, None, None)
    assert bare.sellable
    assert bare.kind == "NORMAL"
    assert bare.updated_at is None


@pytest.mark.parametrize("flag", [False, "false", "False"])
def test_only_a_clear_no_takes_a_product_off_sale(flag: object) -> None:
    assert not one(allow_to_sell=flag).sellable
    assert not one(allowToSell=flag).sellable


def test_a_numeric_id_is_text() -> None:
    assert wire.product({"id": 42}, STORE).id == "42"


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-03-02T08:15:30.120+0000", datetime(2026, 3, 2, 8, 15, 30, 120_000, tzinfo=UTC)),
        ("2026-03-02T08:15:30Z", datetime(2026, 3, 2, 8, 15, 30, tzinfo=UTC)),
        ("2026-03-02T11:15:30+0300", datetime(2026, 3, 2, 8, 15, 30, tzinfo=UTC)),
        ("2026-03-02T08:15:30", datetime(2026, 3, 2, 8, 15, 30, tzinfo=UTC)),
        (1_772_439_330_000, datetime(2026, 3, 2, 8, 15, 30, tzinfo=UTC)),
        ("yesterday", None),
        ("0001-01-01T00:00:00+0500", None),
        (10**20, None),
        (None, None),
    ],
)
def test_times_are_utc_or_unknown(text: object, when: datetime | None) -> None:
    assert wire.instant(text) == when


def test_since_is_in_milliseconds() -> None:
    assert wire.millis(datetime(2026, 3, 2, 8, 15, 30, 120_999, tzinfo=UTC)) == 1_772_439_330_120


@pytest.mark.parametrize(
    ("first", "second", "price"),
    [
        ("2026-04-11T17:00:00Z", "2026-04-11T18:00:00Z", 200),
        ("2026-04-11T18:00:00Z", "2026-04-11T17:00:00Z", 100),
        ("2026-04-11T17:00:00Z", "2026-04-11T17:00:00Z", 200),
        (None, "2026-04-11T17:00:00Z", 200),
        ("2026-04-11T17:00:00Z", None, 200),
        (None, None, 200),
    ],
)
def test_of_two_rows_with_one_id_the_newer_stays(first: object, second: object, price: int) -> None:
    twice = (one(price=1, updated_at=first), one(price=2, updated_at=second))
    (kept,) = wire.unique(twice)
    assert kept.kopecks == price


def test_only_a_group_with_attributes_holds_modifications() -> None:
    rows: list[wire.Row] = [
        {"id": "a", "name": "Чай"},
        {"id": "b", "name": "Пусто", "attributes": []},
        {"id": "c", "name": "Футболка", "attributes": [{"id": "x", "choices": []}], "parent_id": "a"},
        {"uuid": "d", "name": "Вариант", "group": True, "hasVariants": True},
    ]
    found = wire.groups(rows, STORE)
    assert [group.holds_modifications for group in found] == [False, False, True, True]
    assert found[2] == Group(GroupId("c"), STORE, "Футболка", GroupId("a"), holds_modifications=True)


@pytest.mark.parametrize(
    ("body", "cursor"),
    [
        (b'{"items": [], "paging": {}}', ""),
        (b'{"items": []}', ""),
        (b'{"items": [], "paging": null}', ""),
        (b'{"items": [], "paging": {"next_cursor": null}}', ""),
        (b'{"items": [], "paging": {"next_cursor": ""}}', ""),
        (b'{"items": [], "paging": {"next_cursor": "a+/="}}', "a+/="),
        (b"[]", ""),
    ],
)
def test_the_last_page_has_no_cursor(body: bytes, cursor: str) -> None:
    assert wire.page(body) == wire.Page((), cursor)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b'{"items": [{"id": "1"',
        b"null",
        b'{"message": "hello"}',
        b'{"items": null}',
        b'{"items": {}}',
        b'{"items": [1]}',
        b'{"items": [null]}',
        b'{"items": [], "paging": "?"}',
        b'{"items": [], "paging": {"next_cursor": 7}}',
    ],
)
def test_a_body_that_makes_no_sense_is_no_empty_listing(body: bytes) -> None:
    with pytest.raises(Unavailable):
        wire.page(body)


def test_half_an_emoji_costs_that_sign_and_no_listing() -> None:
    (row,) = wire.page(rb'{"items": [{"id": "a", "name": "Cake \ud83e", "price": 1.5}], "paging": {}}').rows
    assert (row["name"], row["price"]) == ("Cake ?", 1.5)
    with pytest.raises(Unavailable):
        wire.page(rb'{"items": [{"id": "a", "name": "Cake \ud83e')


def test_an_id_too_long_to_be_kept_is_shortened_and_stays_the_same_and_its_own() -> None:
    ids = ["9" * 150 + end for end in "ab"]
    groups = wire.groups([{"id": ident} for ident in ids], StoreId("s"))
    child = wire.product({"id": "p", "parent_id": ids[1]}, StoreId("s"))
    assert len({group.id for group in groups}) == 2
    assert max(len(group.id) for group in groups) <= LONGEST
    assert child.group == groups[1].id


@pytest.mark.parametrize("row", [{}, {"id": None}, {"id": ""}, {"id": {}}, {"id": True}])
def test_a_row_without_an_id_spoils_the_listing(row: wire.Row) -> None:
    with pytest.raises(Unavailable):
        wire.products([row], STORE)
    with pytest.raises(Unavailable):
        wire.groups([row], STORE)
    with pytest.raises(Unavailable):
        wire.stores([row])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Operators),
        (401, Rejected),
        (402, Unpaid),
        (403, Rejected),
        (404, NotFound),
        (405, Operators),
        (406, Operators),
        (408, Unavailable),
        (422, Operators),
        (429, Throttled),
        (302, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
        (599, Unavailable),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"message": "no"}', b'{"message": 1}', b"[]"])
def test_the_status_alone_decides_the_error(status: int, error: type[CloudError], body: bytes) -> None:
    found = wire.failure(status, {}, body, now=NOW)
    assert type(found) is error
    assert found.code == f"Evotor {status}"


def test_success_is_no_failure() -> None:
    assert wire.failure(200, {}, b"anything", now=NOW) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "7", "X-RateLimit-Reset": "37"}, 7),
        ({"Retry-After": "Fri, 01 May 2026 12:00:20 GMT"}, 20),
        ({"Retry-After": "Fri, 01 May 2026 11:00:00 GMT"}, 0),
        ({"X-RateLimit-Reset": "37"}, 37),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 5)}, 5),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "37"}, 37),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "99999999"}, 86_400),
        ({"X-RateLimit-Reset": "nan"}, None),
        ({}, None),
    ],
)
def test_a_429_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert wire.wait(headers, now=NOW) == expected


@needs_samples
def test_sample_v2_stores() -> None:
    found = wire.stores(wire.page((SAMPLES / "v2/stores-page.json").read_bytes()).rows)
    assert [(store.name, store.address, store.till_user) for store in found] == [
        ("Лавка на Речной", "Россия, г. Тверь, ул. Речная, 7", "01-000000000000042"),
        ("Ларёк №2", "", "01-000000000000042"),
    ]


@needs_samples
def test_sample_v2_groups() -> None:
    found = wire.groups(wire.page((SAMPLES / "v2/product-groups-page.json").read_bytes()).rows, STORE)
    assert [(group.name, bool(group.parent), group.holds_modifications) for group in found] == [
        ("Напитки", False, False),
        ("Чай", True, False),
        ("Еда", False, False),
        ("Футболка с логотипом", False, True),
    ]


@needs_samples
def test_sample_v2_pages() -> None:
    first = wire.page((SAMPLES / "v2/products-page-1.json").read_bytes())
    last = wire.page((SAMPLES / "v2/products-page-2-last.json").read_bytes())
    assert first.cursor == "QWNDdkJUbWc1+WnVXYmd4Mys3/bmF4Tnp=="
    assert not last.cursor
    assert [product.kopecks for product in wire.products(first.rows, STORE)] == [18_900, 7_990, 84_550]
    assert len(wire.products(last.rows, STORE)) == len(last.rows) > 0


@needs_samples
@pytest.mark.parametrize("name", ["v2/products-page-empty.json", "v2/stores-page-empty.json"])
def test_sample_v2_empty_pages(name: str) -> None:
    assert wire.page((SAMPLES / name).read_bytes()) == wire.Page(())


@needs_samples
def test_sample_v2_single_product() -> None:
    found = wire.product(wire.row((SAMPLES / "v2/product-single.json").read_bytes()), STORE)
    assert found.id
    assert found.name
    assert found.kopecks


@needs_samples
def test_sample_v2_tricky_products() -> None:
    body = (SAMPLES / "v2/products-tricky.json").read_bytes()
    listed = wire.products(wire.page(body).rows, STORE)
    assert len(wire.unique(listed)) == len(listed) - 1
    found = sample_products("v2/products-tricky.json")
    assert [found[code].unit for code in ("101", "102", "103", "104", "105", "125")] == [
        "кг",
        "г",
        "л",
        "м",
        "порция",
        "",
    ]
    assert found["105"].quantity == Decimal(1_000_000)
    assert found["106"].kopecks == 0
    assert (found["107"].name, found["108"].name) == ("", "   ")
    assert len(found["109"].name) > 400
    assert found["110"].name == "☕️ Капучино 0,3 — «сливочный» 👩‍🍳"
    assert not found["112"].sellable
    assert found["113"].kopecks == 6_100
    assert found["116"].group == "deadbeef-0000-4000-8000-00000000dead"
    assert found["117"].quantity == Decimal(-37)
    assert [found[code].kopecks for code in ("118", "119", "120")] == [1, 999_999_999, 10_000]
    assert found["122"].kind == "SOMETHING_NEW_MARKED"
    assert found["Только обязательное"].quantity is None
    assert found["Поля с null"].sellable
    assert found["126"].id == "22222222-AAAA-4BBB-8CCC-000000000026"
    assert found["127"].id == "42"


@needs_samples
def test_sample_v1_products_and_groups_share_one_array() -> None:
    page = wire.page((SAMPLES / "v1/products.json").read_bytes())
    groups = wire.groups(page.rows, STORE)
    products = wire.products(page.rows, STORE)
    assert [(group.name, group.parent) for group in groups] == [("Напитки", ROOT), ("Чай", groups[0].id)]
    assert [(p.kopecks, p.quantity, p.unit, p.group) for p in products] == [
        (18_900, Decimal(12), "шт", groups[1].id),
        (84_550, Decimal("3.125"), "кг", ROOT),
        (17_140, Decimal(0), "шт", ROOT),
    ]


@needs_samples
def test_sample_v1_sparse_products() -> None:
    page = wire.page((SAMPLES / "v1/products-sparse.json").read_bytes())
    assert [group.name for group in wire.groups(page.rows, STORE)] == ["Еда"]
    assert [product.kopecks for product in wire.products(page.rows, STORE)] == [4_500]


@needs_samples
def test_sample_v1_stores() -> None:
    found = wire.stores(wire.page((SAMPLES / "v1/stores-search.json").read_bytes()).rows)
    assert [(store.name, store.address) for store in found] == [
        ("Лавка на Речной", "Россия, г. Тверь, ул. Речная, 7"),
        ("Ларёк №2", ""),
    ]


@needs_samples
@pytest.mark.parametrize("path", sorted((SAMPLES / "v2" / "errors").glob("*.json")), ids=lambda path: path.stem)
def test_sample_v2_errors(path: Path) -> None:
    said = orjson.loads(path.read_bytes())
    body = said["body"]
    raw = b"" if body is None else body.encode() if isinstance(body, str) else orjson.dumps(body)
    found = wire.failure(said["status"], said["headers"], raw, now=NOW)
    assert found is not None
    if isinstance(found, Throttled):
        assert found.wait == timedelta(seconds=37)
    if isinstance(body, dict):
        assert found.detail == body["message"]
