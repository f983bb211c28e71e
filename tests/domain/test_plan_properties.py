"""Whatever happens at the till and in VK, a run brings the shop to the wanted state, and the next one rests."""

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evosync.domain.action import AddItem, KeepLink, TieAlbum
from evosync.domain.catalog import Group, Product, Shop, Till
from evosync.domain.ids import GroupId, ItemId, ProductId, StoreId
from evosync.domain.links import LinkState
from evosync.domain.marker import marker
from evosync.domain.plan import make_plan
from evosync.domain.policy import Choice, Gone, Policy, StockMode
from tests.domain import model
from tests.domain.model import OTHER, SETTLE, START, STORE, Model, Row, as_vk_gives_back

T = TypeVar("T")
Key = tuple[StoreId, ProductId]
GROUPS = [GroupId("g1"), GroupId("g2"), GroupId("g3")]
WORDS = ["Чай", "Кофе  зерновой", 'Сыр "Гауда"', "Хлеб & соль", "Вода"]


@dataclass
class World:
    """A till, an owner and a VK shop, and what an onlooker knows must hold."""

    policy: Policy
    stock: dict[Key, Product] = field(default_factory=dict)
    names: dict[tuple[StoreId, GroupId], str] = field(default_factory=dict)
    stores_on: dict[StoreId, bool] = field(default_factory=lambda: {STORE: True, OTHER: True})
    groups_on: dict[tuple[StoreId, GroupId], bool] = field(default_factory=dict)
    vk: Model = field(default_factory=Model)
    hidden_by_owner: set[ProductId] = field(default_factory=set)
    removed_by_owner: set[ProductId] = field(default_factory=set)
    renamed_albums: bool = False

    def __post_init__(self) -> None:
        self.names = {(store, group): f"Группа {group}" for store in (STORE, OTHER) for group in GROUPS}

    @property
    def till(self) -> Till:
        base = model.till()
        groups = tuple(Group(group, store, name) for (store, group), name in self.names.items())
        return Till(base.stores, groups, tuple(self.stock.values()))

    @property
    def choice(self) -> Choice:
        return Choice(dict(self.stores_on), dict(self.groups_on), frozenset({STORE, OTHER}))

    def shown(self, product: ProductId) -> list[Product]:
        rows = [self.stock[key] for key in ((STORE, product), (OTHER, product)) if key in self.stock]
        return [row for row in rows if self.stores_on[row.store] and self.groups_on.get((row.store, row.group), True)]

    def check(self, before: dict[ItemId, Row]) -> None:
        products = {product for _, product in self.stock} | set(self.vk.links)
        for product in products:
            items = [item for item, row in self.vk.rows.items() if row.sku == marker(product)]
            assert len(items) <= 1, "a product has one item"
            rows = self.shown(product)
            if product in self.removed_by_owner:
                assert not items
            elif rows:
                self._check_shown(product, rows, items)
            elif items:
                self._check_absent(product, items[0], before)
        for item, row in before.items():
            if row.sku is None:
                assert self.vk.rows[item] == row, "the owner's other items are never touched"

    def _check_shown(self, product: ProductId, rows: list[Product], items: list[ItemId]) -> None:
        lead = next((row for row in rows if row.sellable), rows[0])
        hidden = product in self.hidden_by_owner
        if lead.kind == "TOBACCO_MARKED":
            assert not items or self.vk.rows[items[0]].hidden
            return
        if not lead.sellable:
            assert not items or (self.vk.rows[items[0]].stock, self.vk.rows[items[0]].hidden) == (0, hidden)
            return
        if not lead.kopecks:
            assert not items or self.vk.rows[items[0]].hidden
            return
        if len(lead.name) < 4 and not items:
            return
        assert len(items) == 1, "what is sold stands in VK"
        row = self.vk.rows[items[0]]
        assert row.kopecks == lead.kopecks * (10 if lead.unit == "г" else 1)
        assert row.stock == self._stock(rows)
        assert row.hidden == hidden
        if len(lead.name) >= 4:
            assert row.title == as_vk_gives_back(" ".join(lead.name.split()))
        if lead.description:
            assert row.description.endswith(as_vk_gives_back(lead.description))
        assert ("Цена за 10 г" in row.description) == (lead.unit == "г")
        link = self.vk.album_links[lead.store, lead.group]
        assert link.album in row.albums
        if not self.renamed_albums:
            assert self.vk.titles[link.album] == self.names[lead.store, lead.group]
            ours = {tie.album for tie in self.vk.album_links.values()}
            assert row.albums & ours == {link.album}, "a moved product leaves its old album"

    def _stock(self, rows: list[Product]) -> int:
        sold = [row for row in rows if row.sellable]
        if self.policy.stock_mode is StockMode.CONSTANT or any(row.quantity is None for row in sold):
            return 1000
        return sum(max(int((row.quantity or 0) // (10 if row.unit == "г" else 1)), 0) for row in sold)

    def _check_absent(self, product: ProductId, item: ItemId, before: dict[ItemId, Row]) -> None:
        at_till = any(key[1] == product for key in self.stock)
        rule = self.policy.when_switched_off if at_till else self.policy.when_gone
        if rule is Gone.HIDE:
            assert self.vk.rows[item].hidden
        elif item in before:
            assert self.vk.rows[item] == before[item], "left alone"

    # ---- what may happen; each returns nothing where it does not apply

    def happen(self, event: str, rng: random.Random) -> None:
        if event.startswith("vk_"):
            items = sorted(link.product for link in self.vk.links.values() if link.item in self.vk.rows)
            if items:
                self._in_vk(event, rng.choice(items), rng)
        elif event == "add":
            store = rng.choice([STORE, STORE, OTHER])
            key = ProductId(f"p{rng.randrange(8)}")
            self._put(self._made(store, key, rng))
        elif event == "switch_store":
            self.stores_on[OTHER] = not self.stores_on[OTHER]
        elif event == "switch_group":
            group = rng.choice([STORE, OTHER]), rng.choice(GROUPS)
            self.groups_on[group] = not self.groups_on.get(group, True)
        elif event == "rename_group":
            self.names[rng.choice([STORE, OTHER]), rng.choice(GROUPS)] = f"Группа {rng.choice('123абв')}"
        elif self.stock:
            self._at_till(event, rng.choice(sorted(self.stock)), rng)

    def _made(self, store: StoreId, key: ProductId, rng: random.Random) -> Product:
        return Product(
            key,
            store,
            f"{rng.choice(WORDS)} {key}",
            rng.choice(GROUPS),
            rng.randrange(1, 10_000),
            quantity=rng.choice([None, Decimal(3), Decimal("-1.5"), Decimal("0.9")]),
            description=rng.choice(["", "", f"Описание «{key}» & подробности"]),
        )

    def _put(self, product: Product) -> None:
        self.stock[product.store, product.id] = replace(product, digest=repr(product).encode())

    def _at_till(self, event: str, key: Key, rng: random.Random) -> None:
        row = replace(self.stock[key], digest=b"")
        match event:
            case "reprice":
                row = replace(row, kopecks=rng.choice([None, 0, 100, 19_990]))
            case "rename":
                row = replace(row, name=rng.choice(["Суп", f"  {rng.choice(WORDS)} новый {key[1]} "]))
            case "describe":
                row = replace(row, description=rng.choice(["", f"Совсем другое описание {rng.randrange(9)}"]))
            case "sell":
                row = replace(row, sellable=not row.sellable)
            case "count":
                row = replace(row, quantity=rng.choice([None, Decimal(0), Decimal(47)]))
            case "weigh":
                row = replace(row, unit="г" if row.unit != "г" else "шт")
            case "risk":
                row = replace(row, kind="NORMAL" if row.kind != "NORMAL" else "TOBACCO_MARKED")
            case "move":
                row = replace(row, group=rng.choice(GROUPS))
            case "take_away":
                del self.stock[key]
                return
        self._put(row)

    def _in_vk(self, event: str, product: ProductId, rng: random.Random) -> None:
        item = self.vk.links[product].item
        assert item is not None
        row = self.vk.rows[item]
        match event:
            case "vk_rename":
                row.title = "Переименовано рукой"
            case "vk_reprice":
                row.kopecks += 500
            case "vk_stock":
                row.stock = rng.choice([0, 5])
            case "vk_describe":
                row.description = "Описание, написанное рукой"
            case "vk_hide" if row.stock and not row.hidden:
                row.hidden = True
                self.hidden_by_owner.add(product)
            case "vk_show" if row.stock and row.hidden:
                row.hidden = False
                self.hidden_by_owner.discard(product)
            case "vk_remove":
                del self.vk.rows[item]
                self.removed_by_owner.add(product)
            case "vk_out_of_album":
                row.albums.clear()
            case "vk_rename_album" if self.vk.titles:
                self.renamed_albums = True
                self.vk.titles[rng.choice(sorted(self.vk.titles))] = "Подборка владельца"


TILL_EVENTS = ["add", "add", "reprice", "rename", "describe", "sell", "count", "weigh", "risk", "move", "take_away"]
OWNER_EVENTS = ["switch_store", "switch_group", "rename_group"]
VK_EVENTS = ["rename", "reprice", "stock", "describe", "hide", "show", "remove", "out_of_album", "rename_album"]
EVENTS = TILL_EVENTS + OWNER_EVENTS + [f"vk_{event}" for event in VK_EVENTS]

policies = st.builds(
    Policy,
    stock_mode=st.sampled_from(StockMode),
    when_gone=st.sampled_from(Gone),
    when_switched_off=st.sampled_from(Gone),
)
seeds = st.integers(0, 2**32)


def opened(policy: Policy, seed: int, products: int = 6) -> World:
    world, rng = World(policy), random.Random(seed)
    world.vk.own_item("Витрина владельца")
    for _ in range(products):
        world.happen("add", rng)
    return world


@settings(max_examples=150, deadline=None)
@given(policies, seeds, st.lists(st.sampled_from(EVENTS), max_size=25))
def test_after_any_history_each_run_reaches_the_wanted_state_and_the_next_run_has_nothing_to_do(
    policy: Policy, seed: int, events: list[str]
) -> None:
    world, rng = opened(policy, seed), random.Random(seed)
    for event in ["start", *events]:
        if event != "start":
            world.happen(event, rng)
        before = copy.deepcopy(world.vk.rows)
        world.vk.run(world.till, world.choice, policy)
        world.check(before)
        again = world.vk.plan(world.till, world.choice, policy)
        assert again.actions == (), f"after {event}"


@settings(max_examples=100, deadline=None)
@given(policies, seeds, st.lists(st.sampled_from(EVENTS), max_size=8), st.integers(0, 40), st.integers(0, 5))
def test_a_run_cut_short_anywhere_is_made_good_without_doubles(
    policy: Policy, seed: int, events: list[str], upto: int, forget: int
) -> None:
    world, rng = opened(policy, seed), random.Random(seed)
    if seed % 2:
        world.vk.run(world.till, world.choice, policy)
    for event in events:
        if event not in {"vk_hide", "vk_show", "vk_stock"}:  # several at once cannot be told apart
            world.happen(event, rng)
    before = copy.deepcopy(world.vk.rows)
    world.vk.push(world.vk.plan(world.till, world.choice, policy), upto=upto, forget=forget)
    for _ in range(4):
        world.vk.run(world.till, world.choice, policy)
    world.check({item: row for item, row in before.items() if row.sku is None})
    assert world.vk.plan(world.till, world.choice, policy).actions == ()


@settings(max_examples=60, deadline=None)
@given(policies, seeds, st.lists(st.sampled_from(EVENTS), max_size=8))
def test_items_are_found_again_by_their_markers_when_every_link_is_lost(
    policy: Policy, seed: int, events: list[str]
) -> None:
    world = opened(policy, seed)
    world.vk.run(world.till, world.choice, policy)
    before = {item: replace(row, albums=set(row.albums)) for item, row in world.vk.rows.items()}
    world.vk.links.clear()
    world.vk.album_links.clear()
    plan = world.vk.run(world.till, world.choice, policy)
    assert all(isinstance(action, KeepLink | TieAlbum) for action in plan.actions)
    assert world.vk.rows == before
    assert all(link.state is LinkState.LIVE for link in world.vk.links.values())
    assert world.vk.plan(world.till, world.choice, policy).actions == ()


@settings(max_examples=80, deadline=None)
@given(policies, seeds, st.lists(st.sampled_from(EVENTS), max_size=10), seeds)
def test_the_order_of_what_is_read_does_not_matter(policy: Policy, seed: int, events: list[str], order: int) -> None:
    world, rng = opened(policy, seed), random.Random(seed)
    world.vk.run(world.till, world.choice, policy)
    for event in events:
        world.happen(event, rng)
    till, shop, rng = world.till, world.vk.shop(), random.Random(order)

    def mixed(values: Sequence[T]) -> tuple[T, ...]:
        return tuple(rng.sample(values, len(values)))

    mixed_till = Till(mixed(till.stores), mixed(till.groups), mixed(till.products))
    mixed_shop = Shop(mixed(shop.albums), dict(mixed(list(shop.items.items()))), shop.missing)
    links = {key: world.vk.links[key] for key in rng.sample(sorted(world.vk.links), len(world.vk.links))}
    ties = list(world.vk.album_links.values())
    plan = make_plan(till, shop, world.vk.links, ties, world.choice, policy, read_at=START, settle=SETTLE)
    rng.shuffle(ties)
    other = make_plan(mixed_till, mixed_shop, links, ties, world.choice, policy, read_at=START, settle=SETTLE)
    assert other == plan


@pytest.mark.parametrize("events", [["vk_hide", "reprice"], ["vk_stock"], ["sell", "vk_hide", "sell"]])
def test_a_first_run_makes_one_item_for_each_product(events: list[str]) -> None:
    world = opened(Policy(), 7)
    plan = world.vk.run(world.till, world.choice, world.policy)
    made = [action.product for action in plan.actions if isinstance(action, AddItem)]
    assert sorted(made) == sorted({product for _, product in world.stock})
