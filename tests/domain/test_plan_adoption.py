"""The plan's sentences about items that stand in VK already: adopted, doubled, or made unseen."""

from dataclasses import replace
from datetime import timedelta

import pytest

from evosync.domain.action import AddItem, EditItem, HideDouble, KeepLink, Note
from evosync.domain.catalog import Group
from evosync.domain.ids import ItemId
from evosync.domain.links import LinkState
from evosync.domain.marker import marker
from evosync.domain.status import Standing
from tests.domain.model import ALL_ON, POLICY, SETTLE, STORE, TEA, Model, product, till

TITLE = "Чай чёрный листовой"
SHELF = till(product(), groups=[Group(TEA, STORE, "Чай")])
P1 = product().id


def crashed() -> Model:
    """A run that was killed after VK had made the item and before its link was stored."""
    vk = Model()
    plan = vk.plan(SHELF, ALL_ON, POLICY)
    vk.push(plan, upto=2, forget=1)
    assert vk.links[P1].state is LinkState.INTENT
    return vk


@pytest.mark.parametrize("title", [TITLE, "  чай  ЧЁРНЫЙ листовой "])
def test_one_product_and_one_item_of_the_same_title_belong_together_and_the_text_stays(title: str) -> None:
    vk = Model()
    item = vk.own_item(title, kopecks=1_00)
    before = replace(vk.rows[item])
    vk.run(SHELF, ALL_ON, POLICY)
    row = vk.rows[item]
    assert (len(vk.rows), row.title, row.description) == (1, before.title, before.description)
    assert (row.kopecks, row.stock, vk.links[P1].keeps_text) == (199_90, 1000, True)
    renamed = till(product("Чай зелёный", description="Новое описание товара"))
    assert vk.run(renamed, ALL_ON, POLICY).unchanged == 1
    assert (row.title, row.description) == (before.title, before.description)


def test_a_title_through_vks_entities_is_the_same_title() -> None:
    vk = Model()
    vk.own_item('Сыр "Гауда" & хлеб')
    vk.run(till(product('Сыр "Гауда" & хлеб')), ALL_ON, POLICY)
    assert len(vk.rows) == 1


def test_an_adopted_item_with_a_price_by_the_gram_gets_the_words_for_it_and_loses_them_again() -> None:
    vk = Model()
    item = vk.own_item(TITLE, description='Слова "владельца"')
    vk.run(till(product(unit="г")), ALL_ON, POLICY)
    assert vk.rows[item].description == "Цена за 10 г.\nСлова &quot;владельца&quot;"
    vk.run(till(product(unit="шт")), ALL_ON, POLICY)
    assert vk.rows[item].description == "Слова &quot;владельца&quot;"


@pytest.mark.parametrize(("items", "products"), [(2, 1), (1, 2)])
def test_where_a_title_stands_twice_on_a_side_nothing_is_taken_or_made_and_the_owner_decides(
    items: int, products: int
) -> None:
    vk = Model()
    for _ in range(items):
        vk.own_item(TITLE)
    shelf = till(*(product(key=f"p{n}") for n in range(products)), groups=[])
    plan = vk.plan(shelf, ALL_ON, POLICY)
    assert {status.standing for status in plan.statuses.values()} == {Standing.SAME_TITLE}
    assert not [action for action in plan.actions if isinstance(action, AddItem | EditItem | KeepLink)]


def test_an_item_of_another_title_is_nobodys_and_left_alone() -> None:
    vk = Model()
    item = vk.own_item("Товар владельца")
    before = replace(vk.rows[item])
    vk.run(SHELF, ALL_ON, POLICY)
    assert vk.rows[item] == before


def test_an_item_with_our_marker_is_adopted_and_brought_to_the_tills_state() -> None:
    vk = Model()
    vk.run(SHELF, ALL_ON, POLICY)
    vk.links.clear()
    plan = vk.run(till(product(kopecks=5_00)), ALL_ON, POLICY)
    assert [a.adopted for a in plan.actions if isinstance(a, KeepLink)] == [True]
    assert [row.kopecks for row in vk.rows.values()] == [5_00]
    assert not vk.links[P1].keeps_text


def test_an_item_made_unseen_is_found_by_its_marker_and_not_made_twice() -> None:
    vk = crashed()
    vk.run(SHELF, ALL_ON, POLICY)
    assert (len(vk.rows), vk.links[P1].state) == (1, LinkState.LIVE)
    assert vk.plan(SHELF, ALL_ON, POLICY).actions == ()


def test_an_item_made_unseen_counts_as_created_when_its_create_was_sent() -> None:
    vk = crashed()
    sent = vk.now
    vk.run(SHELF, ALL_ON, POLICY)
    assert vk.links[P1].created_at == sent


def test_an_item_made_unseen_whose_product_is_gone_by_now_is_hidden() -> None:
    vk = crashed()
    vk.run(till(), ALL_ON, POLICY)
    assert [row.hidden for row in vk.rows.values()] == [True]


def test_a_create_whose_outcome_is_unknown_is_repeated_only_after_two_looks_that_lie_apart() -> None:
    vk = crashed()
    vk.rows.clear()
    sent = vk.now
    for minutes, creates in [(5, 0), (11, 0), (15, 0), (22, 1)]:
        vk.now = sent + timedelta(minutes=minutes)
        plan = vk.plan(SHELF, ALL_ON, POLICY)
        assert sum(isinstance(action, AddItem) for action in plan.actions) == creates, minutes
        assert plan.look_again == (() if creates else (P1,))
        if not creates:
            assert plan.statuses[P1].standing is Standing.WAIT_CHECK
            vk.push(plan)
    assert timedelta(minutes=10) == SETTLE


def test_a_part_of_the_shop_is_no_look() -> None:
    vk = crashed()
    vk.rows.clear()
    vk.now += timedelta(days=1)
    part = replace(vk.shop(), complete=False)
    vk.shop = lambda: part  # type: ignore[method-assign]  # a hint reads the items of its products alone
    plan = vk.plan(SHELF, ALL_ON, POLICY)
    assert (plan.look_again, [a for a in plan.actions if isinstance(a, AddItem | KeepLink)]) == ((P1,), [])


def doubled() -> tuple[Model, ItemId, ItemId]:
    vk = Model()
    vk.run(SHELF, ALL_ON, POLICY)
    (first,) = vk.rows
    second = vk.own_item(TITLE)
    vk.rows[second].sku = marker(P1)
    return vk, first, second


def test_of_doubles_the_linked_one_stays_and_the_others_are_hidden_and_named() -> None:
    vk, first, second = doubled()
    vk.links[P1] = replace(vk.links[P1], item=second)
    plan = vk.run(SHELF, ALL_ON, POLICY)
    assert [action.item.id for action in plan.actions if isinstance(action, HideDouble)] == [first]
    assert plan.notes[Note.DOUBLES] == (TITLE,)
    assert vk.plan(SHELF, ALL_ON, POLICY).actions == ()


def test_of_doubles_without_a_link_the_oldest_stays() -> None:
    vk, first, second = doubled()
    vk.links.clear()
    vk.run(SHELF, ALL_ON, POLICY)
    assert (vk.links[P1].item, vk.rows[first].hidden, vk.rows[second].hidden) == (first, False, True)


def test_the_older_of_two_creates_gets_the_price_of_the_newer() -> None:
    vk, first, _ = doubled()
    dearer = till(product(kopecks=250_00), groups=[Group(TEA, STORE, "Чай")])
    vk.links.clear()
    (add,) = [a for a in Model().plan(dearer, ALL_ON, POLICY).actions if isinstance(a, AddItem)]
    vk.links[P1] = vk._intent(add)
    vk.run(dearer, ALL_ON, POLICY)
    assert vk.rows[first].kopecks == 250_00
