"""Comparing a fresh listing of the till with what is stored, and doubting it where it looks wrong."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evosync.domain.catalog import Group, Product
from evosync.domain.digest import digest
from evosync.domain.ids import GroupId, ProductId, StoreId
from evosync.domain.mirror import KnownProduct, StoreReading, StoreState


@dataclass(frozen=True, slots=True)
class Listing:
    """One store, listed whole."""

    store: StoreId
    groups: tuple[Group, ...]
    products: tuple[Product, ...]

    @property
    def digest(self) -> str:
        """Two listings agree when they name the same products and groups."""
        products = sorted(product.id for product in self.products)
        return digest(*products, "groups", *sorted(group.id for group in self.groups)).hex()


_FEW = 20


def looks_wrong(count: int, known: int) -> bool:
    """Whether a listing has lost so much that a fault is likelier than a clearance.

    That is everything, half of several, or of many more than a tenth: a last page that came half is no more.
    """
    lost = known - count
    if lost <= 0:
        return False
    return count == 0 or (lost > 1 and lost * 2 >= known) or (lost > _FEW and lost * 10 > known)


def doubt(
    listing: Listing, known: int, groups_known: int, reading: StoreReading, *, now: datetime, apart: timedelta
) -> StoreReading | None:
    """The reading to keep if the listing is held; None if it may be believed.

    `known` and `groups_known` are how many the store had. Without their groups all its products would move, or count
    as switched off, so these are doubted as well.
    A suspicious listing is believed once a second one, at least `apart` later, says the same.
    """
    few_products = looks_wrong(len(listing.products), known)
    if not few_products and not looks_wrong(len(listing.groups), groups_known):
        return None
    mark = listing.digest
    if reading.state is StoreState.HELD and reading.held_digest == mark and reading.held_at is not None:
        if now - reading.held_at >= apart:
            return None
        since = reading.held_at
    else:
        since = now
    return StoreReading(
        state=StoreState.HELD,
        code="groups" if not few_products else "half" if listing.products else "empty",
        full_at=reading.full_at,
        delta_at=reading.delta_at,
        retry_at=since + apart,
        held_digest=mark,
        held_at=since,
    )


def changed_products(products: Iterable[Product], known: Mapping[ProductId, KnownProduct]) -> tuple[Product, ...]:
    """Products that are new, differ, or have come back."""
    changed = []
    for product in products:
        before = known.get(product.id)
        if before is None or before.digest != product.digest or before.gone:
            changed.append(product)
    return tuple(changed)


def gone_products(products: Sequence[Product], known: Mapping[ProductId, KnownProduct]) -> tuple[ProductId, ...]:
    """Products that a whole listing no longer has; those marked gone before are not named again."""
    present = {product.id for product in products}
    return tuple(product for product, before in known.items() if not before.gone and product not in present)


def changed_groups(groups: Iterable[Group], known: Mapping[GroupId, Group]) -> tuple[Group, ...]:
    return tuple(group for group in groups if known.get(group.id) != group)
