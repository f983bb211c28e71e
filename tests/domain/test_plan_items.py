"""The plan's sentences about single products, one by one."""

from dataclasses import replace
from decimal import Decimal

import pytest

from evosync.domain.action import AddItem, EditItem, Note, Why
from evosync.domain.catalog import Product
from evosync.domain.ids import GroupId
from evosync.domain.links import LinkState
from evosync.domain.policy import Choice, Gone, Policy, StockMode
from evosync.domain.status import Standing
from tests.domain.model import ALL_ON, OTHER, POLICY, STORE, TEA, Model, product, till

P1 = product().id
TEXT = "Крупнолистовой чай из Индии"


def pushed(*products: Product, policy: Policy = POLICY) -> Model:
    vk = Model()
    vk.run(till(*products), ALL_ON, policy)
    return vk


def edit_of(vk: Model, *products: Product, policy: Policy = POLICY, choice: Choice = ALL_ON) -> EditItem:
    edits = [action for action in vk.run(till(*products), choice, policy).actions if isinstance(action, EditItem)]
    assert len(edits) == 1
    assert vk.plan(till(*products), choice, policy).actions == ()
    return edits[0]


def standing(vk: Model, *products: Product, policy: Policy = POLICY, choice: Choice = ALL_ON) -> Standing:
    return vk.plan(till(*products), choice, policy).statuses[P1].standing


def test_what_is_sellable_and_was_never_pushed_is_created() -> None:
    (add,) = [
        a for a in Model().plan(till(product(description=TEXT)), ALL_ON, POLICY).actions if isinstance(a, AddItem)
    ]
    assert (add.name, add.description, add.kopecks, add.stock) == ("Чай чёрный листовой", TEXT, 199_90, 1000)
    assert (add.category, add.album) == (40932, "чай")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kopecks": 210_00}, "price"),
        ({"name": "Чай зелёный"}, "name"),
        ({"description": "Совсем другое описание"}, "description"),
    ],
)
def test_only_what_differs_is_sent_and_the_deleted_flag_always(change: dict[str, object], field: str) -> None:
    vk = pushed(product(description=TEXT))
    edit = edit_of(vk, product(**{"description": TEXT, **change}))  # type: ignore[arg-type]  # one field at a time
    assert edit.changes == (field,)
    assert (edit.hidden, edit.why, edit.by_hand) == (False, Why.CHANGED, ())


def test_a_product_off_sale_that_was_pushed_gets_stock_0_and_comes_back_with_its_stock() -> None:
    vk = pushed(product())
    edit = edit_of(vk, product(sellable=False))
    assert (edit.why, edit.changes, edit.stock, edit.hidden) == (Why.NOT_SELLABLE, ("stock",), 0, False)
    assert edit_of(vk, product()).stock == 1000


def test_a_product_off_sale_that_was_never_pushed_is_skipped() -> None:
    assert standing(Model(), product(sellable=False)) is Standing.OFF_NEVER_SOLD


@pytest.mark.parametrize("kopecks", [None, 0])
def test_without_a_price_a_product_is_skipped_and_a_pushed_one_hidden_until_it_has_one(kopecks: int | None) -> None:
    assert standing(Model(), product(kopecks=kopecks)) is Standing.ZERO_PRICE
    vk = pushed(product())
    hide = edit_of(vk, product(kopecks=kopecks))
    assert (hide.why, hide.hidden, hide.changes) == (Why.NO_PRICE, True, ())
    show = edit_of(vk, product(kopecks=5_00))
    assert (show.why, show.hidden, show.kopecks, show.stock) == (Why.SHOWN_AGAIN, False, 5_00, 1000)


def test_a_risky_kind_is_skipped_until_the_owner_allows_it_and_hidden_once_he_does_not() -> None:
    beer = product(kind="BEER_MARKED")
    assert standing(Model(), beer) is Standing.RISKY_KIND
    allowed = Policy(allowed_kinds=frozenset({"beer"}))
    vk = pushed(beer, policy=allowed)
    assert len(vk.rows) == 1
    assert edit_of(vk, beer).hidden
    assert edit_of(vk, beer, policy=allowed).why is Why.SHOWN_AGAIN


def test_what_is_gone_from_the_till_is_hidden_not_deleted_and_shown_when_it_comes_back() -> None:
    vk = pushed(product())
    hide = edit_of(vk)
    assert (hide.why, hide.hidden, hide.hide_by_us) == (Why.GONE, True, True)
    assert edit_of(vk, product()).why is Why.SHOWN_AGAIN
    assert not vk.row("p1").hidden


def test_the_owner_may_leave_alone_what_is_gone() -> None:
    leave = Policy(when_gone=Gone.LEAVE)
    vk = pushed(product(), policy=leave)
    plan = vk.run(till(), ALL_ON, leave)
    assert plan.actions == ()
    assert plan.statuses[P1].standing is Standing.LEFT_GONE


def test_what_is_switched_off_after_a_push_stays_as_it_is_unless_the_owner_chose_hidden() -> None:
    off = Choice(stores={STORE: True}, groups={(STORE, TEA): False})
    vk = pushed(product())
    plan = vk.run(till(product(kopecks=1_00)), off, POLICY)
    assert (plan.actions, plan.statuses[P1].standing) == ((), Standing.OFF_GROUP)
    hide = Policy(when_switched_off=Gone.HIDE)
    assert edit_of(vk, product(), choice=off, policy=hide).why is Why.SWITCHED_OFF
    assert edit_of(vk, product(), policy=hide).why is Why.SHOWN_AGAIN


def test_a_store_switched_off_is_the_reason_for_its_products() -> None:
    assert standing(pushed(product()), product(), choice=Choice(stores={STORE: False})) is Standing.OFF_STORE


def test_an_item_deleted_in_vk_by_hand_is_not_made_again_and_named() -> None:
    vk = pushed(product())
    vk.rows.clear()
    plan = vk.run(till(product()), ALL_ON, POLICY)
    assert plan.statuses[P1].standing is Standing.REMOVED_IN_VK
    assert (vk.links[P1].state, vk.rows) == (LinkState.REMOVED, {})
    assert vk.run(till(product(kopecks=5_00)), ALL_ON, POLICY).actions == ()
    del vk.links[P1]  # the owner asks
    vk.run(till(product()), ALL_ON, POLICY)
    assert len(vk.rows) == 1


def test_an_item_missing_from_a_listing_but_not_confirmed_as_deleted_is_only_looked_at_again() -> None:
    vk = pushed(product())
    row = dict(vk.rows)
    vk.rows.clear()
    shop = replace(vk.shop(), missing=frozenset())
    vk.shop = lambda: shop  # type: ignore[method-assign]  # a listing that lacks the item
    plan = vk.plan(till(product()), ALL_ON, POLICY)
    assert (plan.actions, plan.look_again, len(row)) == ((), (P1,), 1)


def test_the_same_product_in_several_stores_is_one_item_with_the_first_stores_price() -> None:
    both = (product(), product(kopecks=250_00, store=OTHER))
    vk = pushed(*both)
    assert [row.kopecks for row in vk.rows.values()] == [199_90]
    assert vk.plan(till(*both), ALL_ON, POLICY).notes[Note.PRICES_DIFFER] == ("p1",)
    other_first = replace(ALL_ON, order=(OTHER, STORE))
    assert edit_of(vk, *both, choice=other_first).kopecks == 250_00


def test_a_product_is_gone_only_when_gone_from_all_stores() -> None:
    vk = pushed(product(), product(store=OTHER))
    vk.run(till(product(store=OTHER)), ALL_ON, POLICY)
    assert not vk.row("p1").hidden
    assert edit_of(vk).why is Why.GONE


def test_the_tills_quantity_is_shown_where_the_owner_chose_it() -> None:
    counted = Policy(stock_mode=StockMode.TILL)
    vk = pushed(product(quantity=Decimal("3.7")), policy=counted)
    assert vk.row("p1").stock == 3
    plan = vk.plan(till(product(quantity=Decimal(-1))), ALL_ON, counted)
    assert plan.after[P1].standing is Standing.SOLD_OUT
    assert edit_of(vk, product(quantity=Decimal(-1)), policy=counted).stock == 0


def test_goods_by_the_gram_say_for_how_much_the_price_is_and_stop_saying_it() -> None:
    vk = pushed(product(unit="г", description=TEXT, kopecks=2_00))
    assert (vk.row("p1").kopecks, vk.row("p1").description) == (20_00, f"Цена за 10 г.\n{TEXT}")
    edit = edit_of(vk, product(unit="г", description=TEXT, kopecks=2_00), policy=Policy(weight_grams=100))
    assert (edit.kopecks, edit.description) == (200_00, f"Цена за 100 г.\n{TEXT}")
    edit_of(vk, product(unit="шт", description=TEXT, kopecks=2_00))
    assert (vk.row("p1").kopecks, vk.row("p1").description) == (2_00, TEXT)


def test_a_till_without_a_description_never_changes_one_after_creation() -> None:
    vk = pushed(product())
    vk.row("p1").description = "Это написал владелец"
    assert not [a for a in vk.run(till(product()), ALL_ON, POLICY).actions if isinstance(a, EditItem)]
    assert edit_of(vk, product(name="Чай зелёный")).changes == ("name",)
    edit_of(vk, product(name="Чай зелёный", unit="г"))
    assert vk.row("p1").description == "Цена за 10 г.\nЭто написал владелец"


def test_a_name_that_vk_does_not_take_is_skipped_or_keeps_the_last_good_one() -> None:
    assert standing(Model(), product("Чай")) is Standing.SHORT_NAME
    vk = pushed(product())
    plan = vk.plan(till(product("Чай", kopecks=5_00)), ALL_ON, POLICY)
    assert plan.after[P1].standing is Standing.SHORT_NAME
    edit = edit_of(vk, product("Чай", kopecks=5_00))
    assert (edit.changes, vk.row("p1").title) == (("price",), "Чай чёрный листовой")


def test_what_vk_makes_of_a_text_is_no_difference() -> None:
    odd = product('  Сыр   "Гауда" & <45%> ', description='Вкусный  "сыр"  \n\n & хлеб')
    vk = pushed(odd)
    assert vk.row("p1").title == "Сыр &quot;Гауда&quot; &amp; &lt;45%&gt;"
    assert vk.plan(till(odd), ALL_ON, POLICY).actions == ()


def test_a_field_that_vk_does_not_name_is_no_difference() -> None:
    vk = pushed(product())
    vk.row("p1").stock = None
    edits = [a for a in vk.run(till(product()), ALL_ON, POLICY).actions if isinstance(a, EditItem)]
    assert edits == []


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("title", "Другое имя", "name"),
        ("description", "Другие слова владельца", "description"),
        ("kopecks", 1_00, "price"),
        ("stock", 3, "stock"),
        ("stock", 0, "stock"),
    ],
)
def test_what_the_owner_changed_in_vk_is_set_back_and_named(field: str, value: object, name: str) -> None:
    vk = pushed(product(description=TEXT))
    before = replace(vk.row("p1"))
    setattr(vk.row("p1"), field, value)
    plan = vk.plan(till(product(description=TEXT)), ALL_ON, POLICY)
    edit = edit_of(vk, product(description=TEXT))
    assert (edit.why, edit.by_hand, edit.changes, edit.hidden) == (Why.BY_HAND, (name,), (name,), False)
    assert plan.notes[Note.HAND_EDITS] == ("p1",)
    assert replace(vk.row("p1"), albums=before.albums) == before


def test_an_item_that_the_owner_hid_stays_hidden_through_every_later_edit() -> None:
    vk = pushed(product())
    vk.row("p1").hidden = True
    vk.run(till(product()), ALL_ON, POLICY)
    assert edit_of(vk, product(kopecks=5_00)).hidden
    assert edit_of(vk, product(kopecks=5_00, sellable=False)).hidden
    assert edit_of(vk, product(kopecks=6_00)).hidden
    vk.row("p1").hidden = False
    vk.run(till(product(kopecks=6_00)), ALL_ON, POLICY)
    assert not edit_of(vk, product(kopecks=7_00)).hidden


def test_an_item_sold_out_in_vk_is_not_taken_for_hidden() -> None:
    vk = pushed(product())
    vk.row("p1").stock = 0
    edit = edit_of(vk, product())
    assert (edit.stock, edit.hidden) == (1000, False)


def test_an_item_sold_out_by_the_till_is_not_hidden_when_it_is_edited() -> None:
    vk = pushed(product())
    edit_of(vk, product(sellable=False))
    assert not edit_of(vk, product(kopecks=5_00)).hidden


def test_a_text_that_vk_refused_is_not_sent_again_until_the_product_changes() -> None:
    vk = pushed(product())
    new = product("Чай запрещённый", kopecks=5_00)
    (edit,) = vk.plan(till(new), ALL_ON, POLICY).actions
    assert isinstance(edit, EditItem)
    vk.links[P1] = replace(vk.links[P1], refused=edit.source, refusal="100 name")
    assert edit_of(vk, new).changes == ("price",)
    vk.links[P1] = replace(vk.links[P1], source=b"", refused=edit.source, refusal="100 name")
    assert edit_of(vk, product("Чай дозволенный", kopecks=5_00)).changes == ("name",)


def test_a_create_that_vk_refused_waits_for_a_change() -> None:
    vk = Model()
    (_, add) = vk.plan(till(product()), ALL_ON, POLICY).actions
    assert isinstance(add, AddItem)
    vk.links[P1] = replace(
        vk._intent(add), state=LinkState.REFUSED, item=None, refused=add.source, refusal="100 name", source=b""
    )
    assert standing(vk, product()) is Standing.REFUSED_FIELD
    assert vk.plan(till(product("Чай зелёный")), ALL_ON, POLICY).statuses[P1].standing is Standing.WAIT_CREATE


def test_a_product_of_an_unpaid_store_is_not_created_but_followed() -> None:
    unpaid = frozenset({STORE})
    plan = Model().plan(till(product(), unpaid=unpaid), ALL_ON, POLICY)
    assert plan.statuses[P1].standing is Standing.STORE_UNPAID
    vk = pushed(product())
    assert vk.plan(till(product(kopecks=5_00), unpaid=unpaid), ALL_ON, POLICY).actions


def test_prices_that_change_go_first() -> None:
    shelf = [product(f"Товар номер {n}", key=f"p{n}", group=GroupId("tea")) for n in range(3)]
    vk = pushed(*shelf)
    changed = [
        product("Товар новый 0", key="p0"),
        product("Товар номер 1", key="p1", sellable=False),
        product("Товар номер 2", key="p2", kopecks=1_00),
    ]
    edits = [a.product for a in vk.plan(till(*changed), ALL_ON, POLICY).actions if isinstance(a, EditItem)]
    assert edits == ["p2", "p1", "p0"]
