"""The plan on catalogs of real shops, read in place; without them these tests are skipped."""

import gzip
import json
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from evosync.domain.action import AddItem
from evosync.domain.catalog import Group, Product, Store, Till
from evosync.domain.digest import digest
from evosync.domain.ids import GroupId, ProductId, StoreId
from evosync.domain.links import Link
from evosync.domain.policy import Choice, Policy
from evosync.domain.status import Standing
from evosync.domain.survey import survey
from tests.domain.model import Model

CATALOGS = Path(__file__).parents[3] / "shared" / "data" / "catalogs"
NAMES = ["perekrestok-grocery", "vkusvill-ready-food", "evotor-autoparts", "kids-goods", "sushi-cafe"]
STORE = StoreId("S1")
CHOICE = Choice(stores={STORE: True}, new_groups_on=frozenset({STORE}))

pytestmark = pytest.mark.skipif(not CATALOGS.is_dir(), reason="the real catalogs are not beside the project")


def read(name: str, *, first: int | None = None) -> Till:
    with gzip.open(CATALOGS / f"{name}.json.gz") as file:
        raw = json.load(file, parse_float=Decimal)
    groups = tuple(
        Group(GroupId(each["id"]), STORE, each["name"], GroupId(each.get("parent_id", ""))) for each in raw["groups"]
    )
    return Till((Store(STORE, raw["store"]["name"]),), groups, tuple(map(_product, islice(raw["products"], first))))


def _product(raw: dict[str, Any]) -> Product:
    price, quantity = raw.get("price"), raw.get("quantity")
    product = Product(
        ProductId(raw["id"]),
        STORE,
        raw["name"],
        GroupId(raw.get("parent_id", "")),
        None if price is None else int(Decimal(price) * 100),
        None if quantity is None else Decimal(quantity),
        raw.get("measure_name", ""),
        sellable=raw.get("allow_to_sell", True),
        description=raw.get("description", ""),
    )
    return replace(product, digest=digest(json.dumps(raw, default=str, sort_keys=True)))


@pytest.mark.parametrize("name", NAMES)
def test_a_real_catalog_is_pushed_within_the_rules_of_vk_and_then_rests(name: str) -> None:
    till, vk = read(name, first=4_000), Model()
    plan = vk.run(till, CHOICE, Policy())
    made = sum(isinstance(action, AddItem) for action in plan.actions)
    skipped = [key for key, status in plan.statuses.items() if status.standing is not Standing.WAIT_CREATE]
    assert made + len(skipped) == len(till.products), "nothing is dropped silently"
    assert all(plan.statuses[key].standing is Standing.ZERO_PRICE for key in skipped)
    assert vk.plan(till, CHOICE, Policy()).actions == ()


def test_a_catalog_larger_than_the_shop_and_with_more_groups_than_albums_is_foretold() -> None:
    till, vk = read("perekrestok-grocery"), Model()
    plan = vk.run(till, CHOICE, Policy())
    assert len(vk.rows) == 15_000
    assert len(vk.titles) == 100
    assert sum(status.standing is Standing.SHOP_FULL for status in plan.statuses.values()) == 18_378 - 15_000
    assert {note.value for note in plan.notes} >= {"shop_full", "albums_full"}
    assert vk.plan(till, CHOICE, Policy()).actions == ()


def test_ten_thousand_settled_products_are_surveyed_without_a_second_look(capsys: pytest.CaptureFixture[str]) -> None:
    till, vk = read("perekrestok-grocery", first=10_000), Model()
    vk.run(till, CHOICE, Policy())
    shop, ties = vk.shop(), list(vk.album_links.values())
    lean: dict[ProductId, Link] = {key: replace(link, written=None, read_back=None) for key, link in vk.links.items()}
    started = process_time()
    look = survey(till, shop, lean, ties, CHOICE, Policy())
    took = process_time() - started
    with capsys.disabled():
        print(f" [survey of 10,000 settled products: {took * 1000:.0f} ms of CPU] ", end="")  # noqa: T201 -- the figure is for the reader
    over = 10_000 - len(look.settled)
    without_album = {key for key, link in vk.links.items() if link.album is None}
    assert look.open == tuple(sorted(without_album)), f"{over} are looked at again"
