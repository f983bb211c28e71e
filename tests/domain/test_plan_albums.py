"""The plan's sentences about the owner's choice, groups and albums."""

from dataclasses import replace

from evosync.domain.action import AddAlbum, AddItem, EditItem, Note, PlaceItems, RenameAlbum, TieAlbum, Unplace
from evosync.domain.catalog import Group, Product
from evosync.domain.ids import ROOT, GroupId, ProductId
from evosync.domain.policy import Choice, Policy
from evosync.domain.status import Standing
from tests.domain.model import ALL_ON, OTHER, POLICY, STORE, TEA, Model, product, till

COFFEE = GroupId("coffee")
TEA_GROUP, COFFEE_GROUP = Group(TEA, STORE, "Чай"), Group(COFFEE, STORE, "Кофе")


def many(number: int, group: GroupId = TEA, start: int = 0) -> list[Product]:
    return [product(f"Товар номер {n}", key=f"p{n:04}", group=group) for n in range(start, start + number)]


def made(vk: Model, *products: Product, groups: list[Group] | None = None, choice: Choice = ALL_ON) -> list[str]:
    plan = vk.plan(till(*products, groups=groups), choice, POLICY)
    return [action.product for action in plan.actions if isinstance(action, AddItem)]


def test_only_enabled_groups_of_enabled_stores_are_shown() -> None:
    shelf = [product(key="p1"), product(key="p2", group=COFFEE), product(key="p3", store=OTHER)]
    choice = Choice(stores={STORE: True}, groups={(STORE, TEA): True, (OTHER, TEA): True})
    assert made(Model(), *shelf, choice=choice) == ["p1"]


def test_each_group_is_switched_alone_whatever_its_parent() -> None:
    groups = [TEA_GROUP, Group(COFFEE, STORE, "Кофе", parent=TEA)]
    choice = Choice(stores={STORE: True}, groups={(STORE, TEA): False, (STORE, COFFEE): True})
    assert made(Model(), product(key="p1"), product(key="p2", group=COFFEE), groups=groups, choice=choice) == ["p2"]


def test_products_at_the_root_or_of_no_known_group_form_a_group_of_their_own() -> None:
    lost = [product(key="p1", group=ROOT), product(key="p2", group=GroupId("no such group"))]
    vk = Model()
    vk.run(till(*lost, groups=[]), Choice(stores={STORE: True}, groups={(STORE, ROOT): True}), POLICY)
    assert list(vk.titles.values()) == ["Прочее"]
    assert all(row.albums == set(vk.titles) for row in vk.rows.values())


def test_members_of_a_modification_group_go_to_the_nearest_ordinary_one() -> None:
    inner = Group(GroupId("inner"), STORE, "Размеры", parent=GroupId("outer"), holds_modifications=True)
    outer = Group(GroupId("outer"), STORE, "Цвета", parent=TEA, holds_modifications=True)
    vk = Model()
    vk.run(till(product(group=inner.id), groups=[inner, outer, TEA_GROUP]), ALL_ON, POLICY)
    assert list(vk.titles.values()) == ["Чай"]


def test_modification_groups_in_a_circle_or_at_the_root_leave_their_members_at_the_root() -> None:
    one = Group(GroupId("one"), STORE, "Раз", parent=GroupId("two"), holds_modifications=True)
    two = Group(GroupId("two"), STORE, "Два", parent=GroupId("one"), holds_modifications=True)
    vk = Model()
    vk.run(till(product(group=one.id), groups=[one, two]), ALL_ON, POLICY)
    assert list(vk.titles.values()) == ["Прочее"]


def test_a_group_that_appears_later_starts_off_and_the_owner_is_told() -> None:
    choice = Choice(stores={STORE: True}, groups={(STORE, TEA): True})
    shelf = [product(key="p1"), product(key="p2", group=COFFEE)]
    plan = Model().plan(till(*shelf, groups=[TEA_GROUP, COFFEE_GROUP]), choice, POLICY)
    assert plan.notes[Note.NEW_GROUPS] == ("Кофе",)
    assert plan.statuses[shelf[1].id].standing is Standing.NEW_GROUP
    asked = replace(choice, new_groups_on=frozenset({STORE}))
    assert sorted(made(Model(), *shelf, groups=[TEA_GROUP, COFFEE_GROUP], choice=asked)) == ["p1", "p2"]


def test_an_album_of_the_title_is_taken_over_before_one_is_made() -> None:
    vk = Model()
    album = vk.own_album("  ЧАЙ ")
    plan = vk.run(till(product(), groups=[TEA_GROUP]), ALL_ON, POLICY)
    assert [type(action) for action in plan.actions] == [TieAlbum, AddItem]
    assert (vk.row("p1").albums, vk.titles[album]) == ({album}, "  ЧАЙ ")
    assert vk.album_links[STORE, TEA].adopted


def test_groups_of_the_same_title_share_an_album() -> None:
    shelf = [product(key="p1"), product(key="p2", group=COFFEE), product(key="p3", store=OTHER)]
    groups = [TEA_GROUP, Group(COFFEE, STORE, "чай "), Group(TEA, OTHER, "ЧАЙ")]
    vk = Model()
    vk.run(till(*shelf, groups=groups), ALL_ON, POLICY)
    assert len(vk.titles) == 1
    assert all(row.albums == set(vk.titles) for row in vk.rows.values())


def test_a_renamed_group_renames_its_album() -> None:
    vk = Model()
    vk.run(till(product(), groups=[TEA_GROUP]), ALL_ON, POLICY)
    for name in ["Чай & травы", "Напитки"]:
        plan = vk.run(till(product(), groups=[replace(TEA_GROUP, name=name)]), ALL_ON, POLICY)
        assert [type(action) for action in plan.actions] == [RenameAlbum]
    assert list(vk.titles.values()) == ["Напитки"]


def test_an_album_that_the_owner_renamed_keeps_his_title_through_every_rename_of_the_group() -> None:
    vk = Model()
    vk.run(till(product(), groups=[TEA_GROUP]), ALL_ON, POLICY)
    (album,) = vk.titles
    vk.titles[album] = "Лучший чай"
    for name in ["Чаи", "Чай и травы", "Напитки"]:
        vk.run(till(product(), groups=[replace(TEA_GROUP, name=name)]), ALL_ON, POLICY)
        assert vk.titles == {album: "Лучший чай"}
    assert vk.row("p1").albums == {album}


def test_one_of_two_groups_that_share_an_album_gets_its_own_when_it_is_renamed() -> None:
    shelf = [product(key="p1"), product(key="p2", group=COFFEE)]
    vk = Model()
    vk.run(till(*shelf, groups=[TEA_GROUP, replace(COFFEE_GROUP, name="Чай")]), ALL_ON, POLICY)
    vk.run(till(*shelf, groups=[TEA_GROUP, COFFEE_GROUP]), ALL_ON, POLICY)
    assert sorted(vk.titles.values()) == ["Кофе", "Чай"]
    assert vk.row("p1").albums.isdisjoint(vk.row("p2").albums)


def test_a_moved_product_is_added_to_the_new_album_and_then_taken_out_of_the_old() -> None:
    vk, groups = Model(), [TEA_GROUP, COFFEE_GROUP]
    vk.run(till(product(), groups=groups), ALL_ON, POLICY)
    favourites = vk.own_album("Избранное владельца")
    vk.row("p1").albums.add(favourites)
    plan = vk.run(till(product(group=COFFEE), groups=groups), ALL_ON, POLICY)
    assert [type(action) for action in plan.actions][-2:] == [PlaceItems, Unplace]
    assert {vk.titles[album] for album in vk.row("p1").albums} == {"Кофе", "Избранное владельца"}


def test_a_move_cut_short_between_its_two_halves_is_finished() -> None:
    vk, groups = Model(), [TEA_GROUP, COFFEE_GROUP]
    vk.run(till(product(), groups=groups), ALL_ON, POLICY)
    moved = till(product(group=COFFEE), groups=groups)
    plan = vk.plan(moved, ALL_ON, POLICY)
    vk.push(plan, upto=len(plan.actions) - 1)
    assert len(vk.row("p1").albums) == 2
    vk.run(moved, ALL_ON, POLICY)
    assert {vk.titles[album] for album in vk.row("p1").albums} == {"Кофе"}


def test_an_item_taken_out_of_its_album_by_hand_is_put_back() -> None:
    vk = Model()
    vk.run(till(product(), groups=[TEA_GROUP]), ALL_ON, POLICY)
    vk.row("p1").albums.clear()
    plan = vk.run(till(product(), groups=[TEA_GROUP]), ALL_ON, POLICY)
    assert [type(action) for action in plan.actions] == [PlaceItems]


def test_beyond_the_limit_of_albums_the_largest_groups_have_theirs_and_the_owner_is_told() -> None:
    few = Policy(max_albums=2)
    shelf = [*many(3, GroupId("a")), *many(1, GroupId("b"), 10), *many(2, GroupId("c"), 20)]
    vk = Model(max_albums=2)
    plan = vk.run(till(*shelf), ALL_ON, few)
    assert [action.title for action in plan.actions if isinstance(action, AddAlbum)] == ["Группа a", "Группа c"]
    assert plan.notes[Note.ALBUMS_FULL] == ("Группа b",)
    assert plan.after[shelf[3].id].standing is Standing.IN_STEP_NO_ALBUM
    assert vk.plan(till(*shelf), ALL_ON, few).actions == ()


def test_beyond_the_limit_of_an_album_items_stand_without_it_and_the_owner_is_told() -> None:
    small = Policy(max_album_items=3)
    vk = Model(max_album_items=3)
    plan = vk.run(till(*many(5)), ALL_ON, small)
    assert plan.notes[Note.ALBUM_FULL] == ("чай",)
    assert sorted(len(row.albums) for row in vk.rows.values()) == [0, 0, 1, 1, 1]
    assert vk.plan(till(*many(5)), ALL_ON, small).actions == ()


def test_new_and_moved_items_share_the_room_of_an_album_and_what_finds_none_stays_where_it_is() -> None:
    small, groups = Policy(max_album_items=3), [TEA_GROUP, COFFEE_GROUP]
    vk = Model(max_album_items=3)
    vk.run(till(*many(3, COFFEE), groups=groups), ALL_ON, small)
    shelf = [*many(3, TEA), *many(2, TEA, 10)]
    vk.run(till(*shelf, groups=groups), ALL_ON, small)
    standing = [sorted(vk.titles[album] for album in vk.row(each.id).albums) for each in shelf]
    assert standing == [["Чай"], ["Кофе"], ["Кофе"], ["Чай"], ["Чай"]]
    assert vk.plan(till(*shelf, groups=groups), ALL_ON, small).actions == ()


def test_beyond_the_limit_of_the_shop_adds_stop_edits_go_on_and_the_owner_is_told() -> None:
    small = Policy(max_items=3)
    vk = Model(max_items=3)
    plan = vk.run(till(*many(5)), ALL_ON, small)
    assert (len(vk.rows), plan.notes[Note.SHOP_FULL]) == (3, ("2",))
    assert sum(status.standing is Standing.SHOP_FULL for status in plan.statuses.values()) == 2
    dearer = [replace(each, kopecks=9_00, digest=b"new") for each in many(5)]
    edits = [a for a in vk.run(till(*dearer), ALL_ON, small).actions if isinstance(a, EditItem)]
    assert len(edits) == 3


def test_what_lost_its_album_where_there_is_room_for_no_other_says_so_and_is_at_rest() -> None:
    vk = Model()
    shelf = till(*many(1), *many(3, COFFEE, 10), groups=[TEA_GROUP, COFFEE_GROUP])
    vk.run(shelf, ALL_ON, POLICY)
    tight = replace(POLICY, max_albums=1)
    (gone,) = vk.row("p0000").albums
    del vk.titles[gone]
    vk.row("p0000").albums.clear()
    plan = vk.run(shelf, ALL_ON, tight)
    assert plan.statuses[ProductId("p0000")].standing is Standing.IN_STEP_NO_ALBUM
    assert vk.links[ProductId("p0000")].album is None
    again = vk.plan(shelf, ALL_ON, tight)
    assert (again.actions, again.statuses) == ((), {})
