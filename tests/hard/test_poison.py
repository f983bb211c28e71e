"""One product with nonsense in a field harms no other."""

from typing import Any

from evosync.domain.ids import ProductId
from evosync.domain.marker import marker
from evosync.sandbox.evotor.till import Product
from tests.hard.sees import sees
from tests.sync.world import Owner, World

LONG = "Ж" * 5_000
POISON: dict[str, dict[str, Any]] = {
    "a name of emoji": {"name": "🥐🥖🍞 👩‍🍳🇷🇺"},
    "a name of HTML": {"name": "<img src=x onerror=alert(1)><b>Хлеб</b>"},
    "a name of control characters": {"name": "Хле\x00б\x07 \x1b[31mкрасный\x7f \u2028 белый"},
    "a name that turns the line round": {"name": "Хлеб \u202e\u2066 обратный"},
    "a name of five thousand letters": {"name": LONG},
    "a name of spaces": {"name": " \t\u00a0 "},
    "a name that is a number": {"name": 12345678},
    "a name that is a list": {"name": ["Хлеб", {"белый": True}]},
    "a price of a milliard": {"price": 10**9},
    "a price beyond all numbers": {"price": 10**40},
    "a price below nothing": {"price": -5},
    "a price of a thousandth": {"price": "0.001"},
    "a stock below nothing": {"quantity": -(10**9)},
    "a stock beyond all numbers": {"quantity": 10**40},
    "a stock of a millionth": {"quantity": "0.0000001"},
    "long texts everywhere": dict.fromkeys(("description", "code", "article_number", "measure_name", "type"), LONG),
    "a group of five thousand letters": {"parent_id": LONG},
    "a group that is an object": {"parent_id": {"id": "x"}},
    "fields of the wrong kinds": {
        "type": 7, "code": False, "allow_to_sell": "perhaps", "description": 1.5, "measure_name": [], "barcodes": "x",
        "article_number": {}, "tax": None,
    },
}  # fmt: skip


ODD_IDS = {
    "very long": "9" * 150,
    "a path": "../../stores/%2e%2e?x=1#",
    "with a nought": "p\x00q",
    "of emoji": "🥐" * 40,
}


async def test_poisoned_products_are_shown_or_left_out_with_a_reason_and_harm_no_other(world: World) -> None:
    owner = await world.owner(8)
    good = list(owner.store.products.values())
    for number, (kind, poison) in enumerate(POISON.items()):
        owner.store.put_product(f"poison-{number}", good[0].fields | {"name": f"Яд: {kind}"} | poison)
    for kind, ident in ODD_IDS.items():
        owner.store.put_product(ident, good[0].fields | {"name": f"Яд: номер {kind}"})
    halved = owner.store.put_product("halved", good[0].fields | {"name": "Торт HALF"})
    body = owner.store.product_body(halved, with_quantity=True).replace(b"HALF", b"\\ud83e")
    halved.bodies = dict.fromkeys((True, False), body)
    record = await owner.run()
    assert record.outcome in {"ok", "partial"}, record
    await owner.settled()
    assert_unharmed(owner, good)
    standings = await owner.statuses()
    assert len(standings) == len(owner.store.products)
    assert all(standings.values()), "there is a reason for each"
    assert standings["halved"] == "in_step"
    before = owner.writes()
    assert (await owner.run()).outcome == "ok"
    assert owner.writes() == before, "nothing is written again and again"
    assert (await sees(owner)).whose_move == "ok"


def assert_unharmed(owner: Owner, products: list[Product]) -> None:
    assert owner.community.duplicates() == {}
    items = {item.sku: item for item in owner.items if not item.hidden}
    for product in products:
        item = items[marker(ProductId(product.id))]
        assert (item.name, item.kopecks) == (product.name, round((product.price or 0) * 100))
