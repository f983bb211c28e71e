"""What the owner decided: which stores and groups, and how the mirror behaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from evosync.domain.ids import GroupId, StoreId


class StockMode(StrEnum):
    """Where the stock of a VK item comes from."""

    CONSTANT = "constant"
    TILL = "till"


class Gone(StrEnum):
    """What happens to an item whose product is no longer at the till, or was switched off."""

    HIDE = "hide"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Choice:
    """Switches of stores and groups; what is not named is off.

    `new_groups_on` are stores in which a group that appears later starts switched on.
    `order` are store ids as the owner ranks them; others follow by id.
    """

    stores: Mapping[StoreId, bool] = field(default_factory=dict)
    groups: Mapping[tuple[StoreId, GroupId], bool] = field(default_factory=dict)
    new_groups_on: frozenset[StoreId] = frozenset()
    order: tuple[StoreId, ...] = ()

    def shows_store(self, store: StoreId) -> bool:
        return self.stores.get(store, False)

    def shows_group(self, store: StoreId, group: GroupId) -> bool:
        """Whether the group is on; says nothing about its store."""
        return self.groups.get((store, group), store in self.new_groups_on)


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's settings, with the operator's where he has none.

    `weight_grams` is for how many grams the price of goods sold by the gram is shown.
    `allowed_kinds` are risky product types that the owner takes upon himself (see `kinds.py`).
    """

    weight_grams: int = 10
    stock_mode: StockMode = StockMode.CONSTANT
    stock_constant: int = 1000
    when_gone: Gone = Gone.HIDE
    when_switched_off: Gone = Gone.LEAVE
    allowed_kinds: frozenset[str] = frozenset()
    category: int = 40932
    root_group_title: str = "Прочее"
    photo_source: str = "default"
    max_items: int = 15_000
    max_albums: int = 100
    max_album_items: int = 1_000
