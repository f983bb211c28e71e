"""What a plan gathers while it is made, and how it finds items. No input, no output."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evosync.domain.action import (
    AddItem,
    AlbumKey,
    EditItem,
    HideDouble,
    KeepLink,
    Note,
    Unplace,
)
from evosync.domain.catalog import Availability, Item, Product
from evosync.domain.ids import ProductId
from evosync.domain.links import Link
from evosync.domain.marker import PREFIX
from evosync.domain.shelf import GroupKey
from evosync.domain.status import Standing, Status
from evosync.domain.survey import Survey
from evosync.domain.texts import clean_name, fold, fold_vk
from evosync.domain.wanted import lead_of


@dataclass(slots=True)
class Draft:
    """What the plan gathers while it goes through the products."""

    keeps: list[KeepLink] = field(default_factory=list)
    edits: list[EditItem] = field(default_factory=list)
    adds: list[tuple[AddItem, GroupKey, Status]] = field(default_factory=list)
    doubles: list[HideDouble] = field(default_factory=list)
    places: dict[AlbumKey, list[ProductId]] = field(default_factory=lambda: defaultdict(list))
    unplaces: list[Unplace] = field(default_factory=list)
    statuses: dict[ProductId, Status] = field(default_factory=dict)
    after: dict[ProductId, Status] = field(default_factory=dict)
    notes: dict[Note, list[str]] = field(default_factory=lambda: defaultdict(list))
    look_again: list[ProductId] = field(default_factory=list)
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """Our items by marker, `strays` being those markers of which no link names an item; the owner's by title.

    `wanted_titles`: how often the till has each title that an item of the owner's bears.
    """

    by_marker: Mapping[str, Sequence[Item]]
    strays: frozenset[str]
    by_title: Mapping[str, Sequence[Item]]
    wanted_titles: Mapping[str, int]


def index_of(look: Survey, links: Mapping[ProductId, Link]) -> Index:
    by_marker: dict[str, list[Item]] = defaultdict(list)
    by_title: dict[str, list[Item]] = defaultdict(list)
    wanted_titles: Counter[str] = Counter()
    for item in look.shop.items.values():
        if item.sku is not None and item.sku.startswith(PREFIX) and item.availability is not Availability.REMOVED:
            by_marker[item.sku].append(item)
    taken = {link.item for link in links.values()}
    followed = set()
    for sku, items in by_marker.items():
        if len(items) > 1:
            items.sort(key=lambda item: item.id)
        if any(item.id in taken for item in items):
            followed.add(sku)
    strays = frozenset(by_marker.keys() - followed)
    if any(product not in links for product in look.open):
        for item in look.shop.items.values():
            ours = item.sku is not None and item.sku.startswith(PREFIX)
            if item.id not in taken and not ours and item.availability is not Availability.REMOVED:
                by_title[fold_vk(item.title)].append(item)
        if by_title:
            titles = (title_of(rows) for rows in look.shown.values())
            wanted_titles.update(title for title in titles if title in by_title)
    return Index(by_marker=by_marker, strays=strays, by_title=by_title, wanted_titles=wanted_titles)


def title_of(rows: Sequence[Product]) -> str:
    return fold(clean_name(lead_of(rows).name))


def refusal_status(refusal: str) -> Status:
    """`refusal` is a link's: "code field"."""
    code, _, name = refusal.rpartition(" ")
    if name == "photo":
        return Status(Standing.BAD_PHOTO, {"code": code})
    if name:
        return Status(Standing.REFUSED_FIELD, {"code": code, "field": name})
    return Status(Standing.FAILED, {"code": code})
