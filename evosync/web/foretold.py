"""A plan as its owner reads it: what would change, be added, hidden and linked, field by field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from evosync.domain.action import (
    Action,
    AddAlbum,
    AddItem,
    EditItem,
    HideDouble,
    KeepLink,
    Note,
    PlaceItems,
    RenameAlbum,
    Why,
)
from evosync.domain.catalog import Item
from evosync.domain.ids import AlbumId, ItemId, ProductId
from evosync.domain.status import IN_VK
from evosync.sync.editing import changed_fields
from evosync.sync.one_run import Planned
from evosync.words.language import marked


@dataclass(frozen=True, slots=True)
class Change:
    """One listing: what it is now, what it will be. `fields` as in a receipt; `album` is where it is put."""

    product: ProductId
    title: str
    why: str
    fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    album: str = ""
    kopecks: int | None = None


@dataclass(frozen=True, slots=True)
class Foretold:
    """A plan for reading, in the order in which it would be done."""

    at: datetime
    changed: tuple[Change, ...] = ()
    added: tuple[Change, ...] = ()
    hidden: tuple[Change, ...] = ()
    adopted: tuple[Change, ...] = ()
    albums: tuple[str, ...] = ()
    notes: Mapping[Note, tuple[str, ...]] = field(default_factory=dict)
    unchanged: int = 0
    skipped: int = 0
    dearer: int = 0
    cheaper: int = 0
    most: tuple[str, int, int] | None = None
    """The largest change of a price: name, old and new kopecks."""

    def of(self, kind: str) -> tuple[Change, ...]:
        return {"change": self.changed, "add": self.added, "hide": self.hidden, "adopt": self.adopted}[kind]

    @property
    def total(self) -> int:
        return len(self.changed) + len(self.added) + len(self.hidden)


KINDS: Final = {
    "change": marked("Will change"),
    "add": marked("Will add"),
    "hide": marked("Will hide"),
    "adopt": marked("Will link"),
}


class _Telling:
    """Goes through the actions once."""

    def __init__(self, planned: Planned) -> None:
        plan = planned.plan
        self._planned = planned
        self._titles: dict[AlbumId, str] = {album.id: album.title for album in planned.shop.albums}
        self._names: dict[str, str] = {key: self._titles.get(album, "") for key, album in plan.albums.items()}
        self._names |= {one.key: one.title for one in plan.actions if isinstance(one, AddAlbum | RenameAlbum)}
        self.placed: dict[ProductId, str] = {}
        for one in plan.actions:
            if isinstance(one, PlaceItems):
                self.placed |= dict.fromkeys(one.products, self._names.get(one.album, one.album))
        self.changed: list[Change] = []
        self.added: list[Change] = []
        self.hidden: list[Change] = []
        self.adopted: list[Change] = []
        self.albums: list[str] = []
        self.prices: list[tuple[str, int, int]] = []

    def tell(self, action: Action) -> None:
        match action:
            case AddAlbum():
                self.albums.append(action.title)
            case AddItem():
                album = self._names.get(action.album, action.album) if action.album is not None else ""
                self.added.append(Change(action.product, action.name, "", album=album, kopecks=action.kopecks))
            case EditItem():
                self._edit(action)
            case HideDouble():
                self.hidden.append(Change(action.product, action.item.title, Why.DOUBLE.value))
            case KeepLink() if action.adopted:
                item = self._item(action.link.item)
                self.adopted.append(Change(action.link.product, item.title if item is not None else "", ""))
            case _:
                pass

    def _edit(self, edit: EditItem) -> None:
        fields = dict(changed_fields(edit))
        if edit.product in self.placed:
            fields["album"] = (self._stands_in(edit.before), self.placed[edit.product])
        why = edit.why.value if edit.why is not Why.CHANGED else ""
        is_hiding = edit.hidden and edit.why not in {Why.CHANGED, Why.BY_HAND}
        (self.hidden if is_hiding else self.changed).append(Change(edit.product, edit.before.title, why, fields))
        if edit.kopecks is not None and edit.before.kopecks:
            self.prices.append((edit.before.title, edit.before.kopecks, edit.kopecks))

    def tell_moves(self) -> None:
        """What only moves to another collection has no edit of its own."""
        told = {change.product for change in (*self.changed, *self.added, *self.hidden)}
        for product, album in sorted(self.placed.items()):
            link = self._planned.links.get(product)
            item = self._item(link.item) if link is not None else None
            if product not in told and item is not None:
                self.changed.append(Change(product, item.title, "", {"album": (self._stands_in(item), album)}))

    def _item(self, item: ItemId | None) -> Item | None:
        return self._planned.shop.items.get(item) if item is not None else None

    def _stands_in(self, item: Item) -> str:
        return ", ".join(self._titles[album] for album in item.albums or () if self._titles.get(album))


def foretell(planned: Planned, *, at: datetime) -> Foretold:
    """What a plan's actions mean to the owner."""
    telling, plan = _Telling(planned), planned.plan
    for action in plan.actions:
        telling.tell(action)
    telling.tell_moves()
    prices = telling.prices
    return Foretold(
        at=at,
        changed=tuple(telling.changed),
        added=tuple(telling.added),
        hidden=tuple(telling.hidden),
        adopted=tuple(telling.adopted),
        albums=tuple(telling.albums),
        notes=plan.notes,
        unchanged=plan.unchanged,
        skipped=sum(
            product not in plan.after and status.standing not in IN_VK for product, status in plan.statuses.items()
        ),
        dearer=sum(new > old for _, old, new in prices),
        cheaper=sum(new < old for _, old, new in prices),
        most=max(prices, key=lambda price: abs(price[2] - price[1]) / price[1], default=None),
    )
