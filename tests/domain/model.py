"""A small imitation of a VK shop and of the push, written from the plan's contract and not from its code.

VK's habits: texts come back trimmed, their runs of blanks folded and their quotes and ampersands as
entities; a stock of 0 and a hidden item both read as unavailable; an edit that did not say `deleted`
would show the item; limits are limits. `Model` plays the engine too: it does a plan's actions and
remembers what the engine would, or loses the last memories, as a killed process does.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from evosync.domain.action import (
    Action,
    AddAlbum,
    AddItem,
    EditItem,
    HideDouble,
    KeepLink,
    PlaceItems,
    Plan,
    RenameAlbum,
    TieAlbum,
    Unplace,
)
from evosync.domain.catalog import Album, Availability, Group, Item, Product, Shop, Store, Till
from evosync.domain.digest import digest
from evosync.domain.ids import AlbumId, GroupId, ItemId, ProductId, StoreId
from evosync.domain.links import AlbumLink, Link, LinkState, ReadBack, Written
from evosync.domain.plan import make_plan
from evosync.domain.policy import Choice, Policy

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SETTLE = timedelta(minutes=10)


def as_vk_gives_back(text: str) -> str:
    text = "\n".join(re.sub(r"[^\S\n]+", " ", line).strip() for line in text.strip().split("\n"))
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def vk_counts(text: str) -> int:
    """VK FACTS 2, independently of the code: cp1251 with entities for the rest, after escaping."""
    prices = dict.fromkeys("\"'&!", 5) | dict.fromkeys("<>", 4) | dict.fromkeys("$\\", 6)
    return sum(prices.get(char) or len(char.encode("cp1251", "xmlcharrefreplace")) for char in text)


@dataclass
class Row:
    """An item as VK keeps it; texts as VK gives them back."""

    title: str
    description: str
    kopecks: int
    stock: int | None
    hidden: bool = False
    sku: str | None = None
    albums: set[AlbumId] = field(default_factory=set)


@dataclass
class Model:
    """The community's shop, what EvoSync remembers of it, and a clock."""

    rows: dict[ItemId, Row] = field(default_factory=dict)
    titles: dict[AlbumId, str] = field(default_factory=dict)
    links: dict[ProductId, Link] = field(default_factory=dict)
    album_links: dict[tuple[StoreId, GroupId], AlbumLink] = field(default_factory=dict)
    now: datetime = START
    writes: int = 0
    max_albums: int = 100
    max_album_items: int = 1_000
    max_items: int = 15_000
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    # ---- the owner's own doings

    def own_item(self, title: str, *, kopecks: int = 50_00, description: str = "Товар самого владельца") -> ItemId:
        item = ItemId(next(self._ids))
        self.rows[item] = Row(as_vk_gives_back(title), as_vk_gives_back(description), kopecks, None)
        return item

    def own_album(self, title: str) -> AlbumId:
        album = AlbumId(next(self._ids))
        self.titles[album] = title
        return album

    def row(self, product: str) -> Row:
        item = self.links[ProductId(product)].item
        assert item is not None
        return self.rows[item]

    # ---- what VK tells

    def item(self, item_id: ItemId) -> Item:
        row = self.rows[item_id]
        gone = row.hidden or row.stock == 0
        availability = Availability.UNAVAILABLE if gone else Availability.AVAILABLE
        albums = tuple(sorted(row.albums))
        return Item(
            id=item_id,
            title=row.title,
            description=row.description,
            kopecks=row.kopecks,
            currency=643,
            sku=row.sku,
            stock=row.stock,
            availability=availability,
            albums=albums,
            face=digest(row.title, row.description, row.kopecks, row.stock, int(availability)),
            digest=digest(item_id, row.title, row.description, row.kopecks, row.stock, availability, row.sku, albums),
        )

    def sizes(self) -> Counter[AlbumId]:
        return Counter(album for row in self.rows.values() for album in row.albums)

    def shop(self) -> Shop:
        named = {link.item for link in self.links.values() if link.item is not None}
        sizes = self.sizes()
        return Shop(
            albums=tuple(Album(album, title, sizes[album]) for album, title in self.titles.items()),
            items={item: self.item(item) for item in self.rows},
            missing=frozenset(named - self.rows.keys()),
        )

    # ---- a run

    def plan(self, till: Till, choice: Choice, policy: Policy) -> Plan:
        links = tuple(self.album_links.values())
        return make_plan(till, self.shop(), self.links, links, choice, policy, read_at=self.now, settle=SETTLE)

    def run(self, till: Till, choice: Choice, policy: Policy) -> Plan:
        self.now += timedelta(hours=1)
        plan = self.plan(till, choice, policy)
        self.push(plan)
        return plan

    def push(self, plan: Plan, *, upto: int | None = None, forget: int = 0) -> None:
        """Do the first `upto` actions; of the last `forget` of them nothing is remembered but intents."""
        actions = plan.actions[:upto]
        known = dict(plan.albums)
        remembered = len(actions) - forget
        for number, action in enumerate(actions):
            told = number < remembered or isinstance(action, KeepLink)  # what is memory alone is there or is not
            before = None if told else (dict(self.links), dict(self.album_links))
            self._do(action, plan.actions, known)
            if before is not None:
                self.links, self.album_links = before
                if isinstance(action, AddItem):
                    self.links[action.product] = self._intent(action)

    def _do(self, action: Action, actions: Iterable[Action], albums: dict[str, AlbumId]) -> None:
        self.writes += not isinstance(action, KeepLink | TieAlbum)
        match action:
            case KeepLink(link=link):
                self.links[link.product] = link
            case AddItem():
                self._add(action, albums)
            case EditItem():
                self._edit(action)
            case HideDouble(item=item):
                self.rows[item.id].hidden = True
            case PlaceItems() | Unplace():
                self._do_place(action, actions, albums)
            case AddAlbum() | TieAlbum() | RenameAlbum():
                self._do_album(action, albums)

    def _do_place(self, action: PlaceItems | Unplace, actions: Iterable[Action], albums: dict[str, AlbumId]) -> None:
        """A moved product's new album is remembered once it is out of the old one, not before."""
        match action:
            case PlaceItems(album=key, products=products):
                moving = {other.product for other in actions if isinstance(other, Unplace)}
                for product in products:
                    self._place(product, albums[key], remember=product not in moving)
                assert self.sizes()[albums[key]] <= self.max_album_items, "VK 1406"
            case Unplace(product=product, item=moved, album=old):
                self.rows[moved].albums.discard(old)
                for other in actions:
                    if isinstance(other, PlaceItems) and product in other.products:
                        self.links[product] = replace(self.links[product], album=albums[other.album])

    def _do_album(self, action: AddAlbum | TieAlbum | RenameAlbum, albums: dict[str, AlbumId]) -> None:
        match action:
            case AddAlbum(key=key, title=title, groups=groups):
                assert len(self.titles) < self.max_albums, "VK 1407"
                albums[key] = self.own_album(self._title(title))
                self._tie(groups, albums[key], title, self.titles[albums[key]])
            case TieAlbum(album=album, title=title, seen=seen, groups=groups, adopted=adopted):
                self._tie(groups, album, title, seen, adopted=adopted)
            case RenameAlbum(album=album, title=title, groups=groups):
                self.titles[album] = self._title(title)
                self._tie(groups, album, title, self.titles[album])

    def _title(self, title: str) -> str:
        assert 1 <= vk_counts(title) <= 128
        return as_vk_gives_back(title)

    def _tie(
        self,
        groups: Iterable[tuple[StoreId, GroupId]],
        album: AlbumId,
        title: str,
        seen: str,
        *,
        adopted: bool = False,
    ) -> None:
        for store, group in groups:
            self.album_links[store, group] = AlbumLink(store, group, album, title, seen, adopted)

    def _place(self, product: ProductId, album: AlbumId, *, remember: bool) -> None:
        row = self.row(product)
        assert album not in row.albums, "VK 1404: a wasted call"
        row.albums.add(album)
        if remember:
            self.links[product] = replace(self.links[product], album=album)

    def _check(self, name: str | None, description: str | None, kopecks: int | None, stock: int | None) -> None:
        if name is not None:
            assert len(name) >= 4
            assert vk_counts(name) <= 100
            assert not re.search(r"</?[a-z]+[ />]", name)
        if description is not None:
            assert len(description) >= 10
            assert not re.search(r"</?[a-z]+[ />]|https?://|www\.", description)
        assert kopecks is None or kopecks > 0
        assert stock is None or 0 <= stock <= 999_999

    def _intent(self, add: AddItem) -> Link:
        written = Written(add.name, add.description, add.kopecks, add.stock, per_grams=add.per_grams)
        return Link(
            add.product,
            add.marker,
            LinkState.INTENT,
            source=add.source,
            written=written,
            read_back=ReadBack(),
            intent_at=self.now,
        )

    def _add(self, add: AddItem, albums: dict[str, AlbumId]) -> None:
        assert len(self.rows) < self.max_items, "VK 1405"
        self._check(add.name, add.description, add.kopecks, add.stock)
        assert len(add.marker) <= 50
        item = ItemId(next(self._ids))
        self.rows[item] = Row(
            as_vk_gives_back(add.name), as_vk_gives_back(add.description), add.kopecks, add.stock, sku=add.marker
        )
        link = replace(self._intent(add), state=LinkState.LIVE, item=item, intent_at=None)
        self.links[add.product] = self._after(link, item)
        if add.album is not None:
            self._place(add.product, albums[add.album], remember=True)

    def _edit(self, edit: EditItem) -> None:
        self._check(edit.name, edit.description, edit.kopecks, edit.stock)
        row = self.rows[edit.item]
        assert edit.changes or edit.hidden != row.hidden or row.stock == 0, "VK: nothing to change"
        if edit.name is not None:
            row.title = as_vk_gives_back(edit.name)
        if edit.description is not None:
            row.description = as_vk_gives_back(edit.description)
        row.kopecks = edit.kopecks if edit.kopecks is not None else row.kopecks
        row.stock = edit.stock if edit.stock is not None else row.stock
        row.hidden = edit.hidden
        before = edit.link.written or Written()
        written = Written(
            name=before.name if edit.name is None else edit.name,
            description=before.description if edit.description is None else edit.description,
            kopecks=before.kopecks if edit.kopecks is None else edit.kopecks,
            stock=before.stock if edit.stock is None else edit.stock,
            hidden=edit.hidden,
            per_grams=edit.per_grams,
        )
        link = replace(edit.link, written=written, source=edit.source, hidden_by_us=edit.hide_by_us)
        self.links[edit.product] = self._after(link, edit.item)

    def _after(self, link: Link, item_id: ItemId) -> Link:
        item = self.item(item_id)
        read = ReadBack(item.title, item.description, item.kopecks, item.stock, int(item.availability))
        return replace(link, read_back=read, face=item.face)


# ---- small ways to say what is at the till

STORE, OTHER = StoreId("S1"), StoreId("S2")
TEA = GroupId("tea")
POLICY = Policy()
ALL_ON = Choice(stores={STORE: True, OTHER: True}, new_groups_on=frozenset({STORE, OTHER}))


def product(
    name: str = "Чай чёрный листовой", kopecks: int | None = 199_90, *, key: str = "p1", **more: object
) -> Product:
    made = Product(ProductId(key), name=name, kopecks=kopecks, **{"store": STORE, "group": TEA, **more})  # type: ignore[arg-type]  # a test names what matters
    fields = (made.store, made.name, made.group, made.kopecks, made.quantity, made.unit, made.kind)
    return replace(made, digest=digest(made.id, *map(str, fields), made.sellable, made.description))


def till(*products: Product, groups: Iterable[Group] | None = None, unpaid: frozenset[StoreId] = frozenset()) -> Till:
    if groups is None:
        keys = sorted({(each.store, each.group) for each in products if each.group})
        groups = [Group(group, store, {"tea": "Чай"}.get(group, f"Группа {group}")) for store, group in keys]
    stores = (Store(STORE, "Первый"), Store(OTHER, "Второй"))
    return Till(stores, tuple(groups), products, unpaid)
