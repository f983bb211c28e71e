"""The demo shop has every awkward thing that a demo must show."""

from collections import Counter

from evosync.sandbox import goods
from evosync.sandbox.seed import plain_catalog, seed_demo, seed_owner
from evosync.sandbox.state import Sandbox


def test_the_demo_has_about_a_hundred_products_and_the_awkward_ones_among_them() -> None:
    sandbox = Sandbox()
    demo = seed_demo(sandbox)
    store = sandbox.account(demo.account_id).stores[demo.store_id]
    products = list(store.products.values())
    assert 90 <= len(products) <= 110
    assert {"г", "гр", "кг", "шт"} <= {product.fields["measure_name"] for product in products}
    assert any(product.price == 0 for product in products)
    assert any(len(product.name) < 4 for product in products)
    assert any("BEER" in str(product.fields["type"]) for product in products)
    assert any(product.fields["allow_to_sell"] is False for product in products)
    assert any("<b>" in product.name for product in products)
    assert any(product.parent_id is None for product in products)
    titles = Counter(group.name for group in store.groups.values())
    assert titles["Сладости"] == 2
    assert all(product.parent_id in store.groups for product in products if product.parent_id)


def test_the_second_store_of_the_demo_is_unpaid() -> None:
    sandbox = Sandbox()
    account = sandbox.account(seed_demo(sandbox).account_id)
    assert [store.unpaid for store in account.stores.values()] == [False, True]


def test_the_demo_shop_in_vk_holds_one_item_of_the_same_title_and_others_of_its_own() -> None:
    sandbox = Sandbox()
    demo = seed_demo(sandbox)
    own = {item.name for item in sandbox.communities[demo.group_id].items.values()}
    sold = {product.name for product in sandbox.account(demo.account_id).first.products.values()}
    assert len(own & sold) == 1
    assert len(own - sold) == 3
    assert len(sandbox.communities[demo.group_id].albums) == 1


def test_the_demo_has_the_same_ids_at_every_start() -> None:
    assert goods.catalog() == goods.catalog()


def test_every_owner_of_a_benchmark_has_ids_of_his_own() -> None:
    sandbox, catalog = Sandbox(), plain_catalog(250)
    one, two = (seed_owner(sandbox, number, catalog, 200) for number in (1, 2))
    first, second = (set(sandbox.account(demo.account_id).first.products) for demo in (one, two))
    assert len(first) == len(second) == 200
    assert not first & second
    assert {one.group_id, two.group_id} == set(sandbox.communities)
