"""What the owner's choice makes of the till: groups with their albums, and products with their shown variants."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evosync.domain.catalog import Group, Product, Till
from evosync.domain.ids import ROOT, GroupId, ProductId, StoreId
from evosync.domain.policy import Choice

GroupKey = tuple[StoreId, GroupId]


@dataclass(frozen=True, slots=True)
class Shelf:
    """`variants` has every product with its row of each store, in the owner's order of stores.

    `home` is the ordinary group of each (store, raw parent); `shown` are the groups that are on, in
    stores that are on.
    """

    variants: Mapping[ProductId, tuple[Product, ...]]
    home: Mapping[GroupKey, GroupId]
    groups: Mapping[GroupKey, Group]
    shown: frozenset[GroupKey]
    choice: Choice
    unpaid: frozenset[StoreId]

    def group_of(self, product: Product) -> GroupKey:
        """The ordinary group that the product belongs to; `ROOT` for those in none."""
        return product.store, self.home.get((product.store, product.group), ROOT)

    def shows(self, product: Product) -> bool:
        return self.group_of(product) in self.shown


def homes_of(groups: Mapping[GroupKey, Group]) -> dict[GroupKey, GroupId]:
    """Nearest ordinary group at or above each group; a modification group is none (Evotor FACTS 1.5)."""
    homes: dict[GroupKey, GroupId] = {}
    for (store, start), first in groups.items():
        group: Group | None = first
        seen: set[GroupId] = set()
        while group is not None and group.holds_modifications and group.id not in seen:
            seen.add(group.id)
            group = groups.get((store, group.parent))
        homes[store, start] = ROOT if group is None or group.holds_modifications else group.id
    return homes


def ranked_stores(till: Till, choice: Choice) -> list[StoreId]:
    """Stores in the owner's order, the others after them by id, so that listing them anew changes nothing."""
    rank = {store: place for place, store in enumerate(choice.order)}
    return sorted((store.id for store in till.stores), key=lambda store: (rank.get(store, len(rank)), store))


def arrange(till: Till, choice: Choice) -> Shelf:
    """Sort the till by the owner's choice. The order of the till's own lists does not matter."""
    groups: dict[GroupKey, Group] = {(group.store, group.id): group for group in till.groups}
    homes = homes_of(groups)
    stores = ranked_stores(till, choice)
    by_store: dict[StoreId, list[Product]] = defaultdict(list)
    for product in till.products:
        by_store[product.store].append(product)
    variants: dict[ProductId, tuple[Product, ...]] = {}
    for store in stores:
        for product in by_store[store]:
            earlier = variants.get(product.id)
            variants[product.id] = (product,) if earlier is None else (*earlier, product)
    shown = frozenset(
        (store, group)
        for store in stores
        if choice.shows_store(store)
        for group in _ordinary_groups(store, groups.values())
        if choice.shows_group(store, group)
    )
    return Shelf(variants=variants, home=homes, groups=groups, shown=shown, choice=choice, unpaid=till.unpaid)


def _ordinary_groups(store: StoreId, groups: Iterable[Group]) -> list[GroupId]:
    return [ROOT, *(group.id for group in groups if group.store == store and not group.holds_modifications)]
