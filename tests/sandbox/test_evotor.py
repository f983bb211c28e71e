"""Reading the till: Evotor FACTS 1 and 3."""

from decimal import Decimal
from pathlib import Path

import pytest

from evosync.sandbox.cli import read_catalog
from evosync.sandbox.evotor.cursor import seal, unseal
from evosync.sandbox.evotor.till import Store
from tests.sandbox.cloud import CLOUD_TOKEN, STORE, USER, Cloud

PRODUCTS = f"/stores/{STORE}/products"
V2 = "application/vnd.evotor.v2+json"


@pytest.fixture
def store(cloud: Cloud) -> Store:
    """The only store, still empty."""
    return cloud.sandbox.account(USER).first


async def test_stores_come_with_an_empty_paging_at_the_end(cloud: Cloud) -> None:
    status, body, headers = await cloud.evotor("/stores")
    assert status == 200
    assert headers["Content-Type"] == V2
    (row,) = body["items"]
    assert (row["id"], row["address"], row["user_id"]) == (STORE, "ул. Речная, 7", USER)
    assert body["paging"] == {}
    assert (await cloud.evotor(f"/stores/{STORE}"))[1] == row


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {CLOUD_TOKEN}"},
        {"Authorization": f"bearer {CLOUD_TOKEN}"},
        {"Authorization": CLOUD_TOKEN},
        {"X-Authorization": CLOUD_TOKEN},
    ],
)
async def test_the_token_is_taken_in_all_four_ways(cloud: Cloud, headers: dict[str, str]) -> None:
    assert (await cloud.evotor_with(headers, "/stores/"))[0] == 200


async def test_no_token_and_a_wrong_one_are_401_with_an_empty_body(cloud: Cloud) -> None:
    assert (await cloud.evotor("/stores", None))[:2] == (401, "")
    assert (await cloud.evotor("/stores", "wrong"))[:2] == (401, "")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (V2, 200),
        (f"{V2};charset=UTF-8", 200),
        ("text/html, */*", 200),
        ("application/vnd.evotor.v1+json", 406),
        ("text/html", 406),
    ],
)
async def test_the_media_type_decides(cloud: Cloud, accept: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {CLOUD_TOKEN}", "Accept": accept}
    assert (await cloud.evotor_with(headers, "/stores"))[0] == status


async def test_money_and_stock_are_exact_numbers_and_whole_ones_have_no_fraction(cloud: Cloud, store: Store) -> None:
    store.add_product("Сыр", "845.50", quantity="3.125")
    store.add_product("Чай", 100, quantity=-2)
    _, body, _ = await cloud.evotor(PRODUCTS)
    cheese, tea = body["items"]
    assert (cheese["price"], cheese["quantity"]) == (Decimal("845.5"), Decimal("3.125"))
    assert (tea["price"], tea["quantity"]) == (100, -2)
    assert isinstance(tea["price"], int)
    assert cheese["updated_at"].endswith("+0000")


async def test_absent_fields_are_absent(cloud: Cloud, store: Store) -> None:
    store.put_product("A-1", {"name": "Только название", "price": None})
    (row,) = (await cloud.evotor(PRODUCTS))[1]["items"]
    assert set(row) == {"id", "name", "store_id", "user_id", "created_at", "updated_at"}


async def test_groups_are_a_list_of_their_own(cloud: Cloud, store: Store) -> None:
    top = store.add_group("Выпечка")
    inner = store.add_group("Хлеб", parent_id=top.id)
    store.change_group(inner.id, attributes=[{"id": "a", "name": "Цвет", "choices": []}])
    store.add_product("Батон", 46, parent_id=inner.id)
    rows = (await cloud.evotor(f"/stores/{STORE}/product-groups"))[1]["items"]
    assert [row.get("parent_id") for row in rows] == [None, top.id]
    assert "attributes" in rows[1]
    assert (await cloud.evotor(f"/stores/{STORE}/product-groups/{top.id}"))[1]["name"] == "Выпечка"
    assert len((await cloud.evotor(PRODUCTS))[1]["items"]) == 1


async def test_pages_follow_a_cursor_full_of_awkward_signs(cloud: Cloud, store: Store) -> None:
    cloud.sandbox.evotor.page_size = 2
    names = [store.add_product(f"Товар {n}", n).name for n in range(5)]
    _, page, _ = await cloud.evotor(PRODUCTS)
    found = [row["name"] for row in page["items"]]
    while "next_cursor" in page["paging"]:
        cursor = page["paging"]["next_cursor"]
        assert {"+", "/", "="} <= set(cursor)
        _, page, _ = await cloud.evotor(PRODUCTS, cursor=cursor, since=99_999_999_999_999)
        found += [row["name"] for row in page["items"]]
    assert found == names


async def test_a_cursor_whose_plus_became_a_space_or_of_another_list_is_400(cloud: Cloud, store: Store) -> None:
    cloud.sandbox.evotor.page_size = 1
    store.add_product("Хлеб", 1)
    store.add_product("Сыр", 1)
    cursor = (await cloud.evotor(PRODUCTS))[1]["paging"]["next_cursor"]
    status, body, _ = await cloud.evotor(PRODUCTS, cursor=cursor.replace("+", " "))
    assert (status, body["violations"][0]["subject"]) == (400, "cursor")
    assert (await cloud.evotor(f"/stores/{STORE}/product-groups", cursor=cursor))[0] == 400
    assert (await cloud.evotor(PRODUCTS, cursor=""))[0] == 200


@pytest.mark.parametrize("after", [0, 9, 10, 99, 100, 12_345])
def test_every_cursor_has_all_three_signs_and_can_be_read_back(after: int) -> None:
    for since in (None, 1_700_000_000_000):
        text = seal("products x", after, since)
        assert {"+", "/", "="} <= set(text)
        assert unseal(text, "products x") == (after, since)


async def test_products_removed_and_added_while_paging_shift_nothing(cloud: Cloud, store: Store) -> None:
    cloud.sandbox.evotor.page_size = 2
    ids = [store.add_product(f"Товар {n}", n).id for n in range(4)]
    cursor = (await cloud.evotor(PRODUCTS))[1]["paging"]["next_cursor"]
    store.remove_product(ids[0])
    store.change_product(ids[1], price=7)
    late = store.add_product("Новый", 1).id
    _, page, _ = await cloud.evotor(PRODUCTS, cursor=cursor)
    assert [row["id"] for row in page["items"]] == ids[2:]
    _, page, _ = await cloud.evotor(PRODUCTS, cursor=page["paging"]["next_cursor"])
    assert [row["id"] for row in page["items"]] == [late]


async def test_since_is_in_milliseconds_inclusive_and_kept_by_the_cursor(cloud: Cloud, store: Store) -> None:
    cloud.sandbox.evotor.page_size = 1
    ids = [store.add_product(f"Товар {n}", n).id for n in range(4)]
    for number, product_id in enumerate(ids):
        store.change_product(product_id, at=1_000_000 + number)
    found = []
    _, page, _ = await cloud.evotor(PRODUCTS, since=1_000_002)
    found += [row["id"] for row in page["items"]]
    _, page, _ = await cloud.evotor(PRODUCTS, cursor=page["paging"]["next_cursor"])
    found += [row["id"] for row in page["items"]]
    assert found == ids[2:]
    assert page["paging"] == {}
    assert (await cloud.evotor(PRODUCTS, since="yesterday"))[0] == 400


async def test_a_full_last_page_has_no_cursor(cloud: Cloud, store: Store) -> None:
    cloud.sandbox.evotor.page_size = 2
    store.add_product("Хлеб", 1)
    store.add_product("Сыр", 1)
    assert (await cloud.evotor(PRODUCTS))[1]["paging"] == {}


async def test_an_unpaid_store_is_402_while_the_others_go_on(cloud: Cloud, store: Store) -> None:
    store.unpaid = True
    status, body, _ = await cloud.evotor(PRODUCTS)
    assert (status, body["code"]) == (402, "payment_required")
    assert (await cloud.evotor(f"/stores/{STORE}/product-groups"))[0] == 402
    assert (await cloud.evotor("/stores"))[0] == 200


async def test_what_is_not_there_is_404(cloud: Cloud) -> None:
    assert (await cloud.evotor("/stores/none/products"))[:2] == (404, "")
    assert (await cloud.evotor(f"{PRODUCTS}/none"))[0] == 404


async def test_permissions_decide_what_is_seen(cloud: Cloud, store: Store) -> None:
    product = store.add_product("Хлеб", 46, quantity=5)
    account = cloud.sandbox.account(USER)
    account.permissions = frozenset({"store:read", "product:read"})
    assert "quantity" not in (await cloud.evotor(f"{PRODUCTS}/{product.id}"))[1]
    assert (await cloud.evotor(f"/stores/{STORE}/product-groups"))[0] == 403
    account.uninstalled = True
    assert (await cloud.evotor("/stores"))[0] == 403


async def test_requests_are_counted_per_path_and_429_says_when_to_come_again(cloud: Cloud) -> None:
    cloud.sandbox.evotor.rate_limit = 2
    left = [(await cloud.evotor("/stores"))[2]["X-RateLimit-Remaining"] for _ in range(2)]
    status, _, headers = await cloud.evotor("/stores")
    assert (left, status) == (["1", "0"], 429)
    assert 0 < int(headers["X-RateLimit-Reset"]) <= 60
    assert (await cloud.evotor(PRODUCTS))[0] == 200


async def test_writing_is_not_imitated(cloud: Cloud) -> None:
    async with cloud.session.post(f"{cloud.running.evotor_url}{PRODUCTS}", json=[]) as reply:
        assert reply.status == 405


def test_a_real_catalog_is_sold_as_it_is(cloud: Cloud, catalogs: Path) -> None:
    catalog = read_catalog(catalogs / "sushi-cafe.json.gz")
    store = cloud.sandbox.load_catalog(USER, STORE, catalog)
    assert (len(store.products), len(store.groups)) == (140, 10)


def test_a_catalog_is_loaded_with_the_groups_its_first_products_need(cloud: Cloud) -> None:
    account = cloud.sandbox.account(USER)
    catalog = {
        "groups": [
            {"id": "g1", "name": "Выпечка"},
            {"id": "g2", "name": "Хлеб", "parent_id": "g1"},
            {"id": "g3", "name": "Сыр"},
        ],
        "products": [
            {"id": "p1", "name": "Батон", "price": 46.5, "parent_id": "g2"},
            {"id": "p2", "name": "Сыр", "price": 845.5, "parent_id": "g3"},
        ],
    }
    store = cloud.sandbox.load_catalog(account, STORE, catalog, 1, id_suffix="-7")
    assert list(store.groups) == ["g1-7", "g2-7"]
    assert store.products["p1-7"].price == Decimal("46.5")
    assert store.products["p1-7"].parent_id == "g2-7"
