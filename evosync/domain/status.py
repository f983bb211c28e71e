"""Where a product stands in VK and why, in the words' keys; the wording itself is the website's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from evosync.domain.digest import digest


class Standing(StrEnum):
    """One key for each line of the product status table; the value is stored."""

    IN_STEP = "in_step"
    IN_STEP_SHORTENED = "in_step_shortened"
    IN_STEP_PADDED = "in_step_padded"
    IN_STEP_WEIGHT = "in_step_weight"
    IN_STEP_NO_ALBUM = "in_step_no_album"
    SOLD_OUT = "sold_out"
    WAIT_CREATE = "wait_create"
    WAIT_CHANGE = "wait_change"
    WAIT_CHECK = "wait_check"
    WAIT_VK = "wait_vk"
    HIDDEN_NOT_FOR_SALE = "hidden_not_for_sale"
    HIDDEN_GONE = "hidden_gone"
    LEFT_GONE = "left_gone"
    HIDDEN_OFF = "hidden_off"
    OFF_GROUP = "off_group"
    OFF_STORE = "off_store"
    NEW_GROUP = "new_group"
    OFF_NEVER_SOLD = "off_never_sold"
    ZERO_PRICE = "zero_price"
    SHORT_NAME = "short_name"
    SAME_TITLE = "same_title"
    RISKY_KIND = "risky_kind"
    REMOVED_IN_VK = "removed_in_vk"
    REJECTED = "rejected"
    REFUSED_FIELD = "refused_field"
    BAD_PHOTO = "bad_photo"
    SHOP_FULL = "shop_full"
    STORE_UNPAID = "store_unpaid"
    FAILED = "failed"


IN_VK = frozenset(
    {
        Standing.IN_STEP,
        Standing.IN_STEP_SHORTENED,
        Standing.IN_STEP_PADDED,
        Standing.IN_STEP_WEIGHT,
        Standing.IN_STEP_NO_ALBUM,
        Standing.SOLD_OUT,
    }
)

WAITING = frozenset({Standing.WAIT_CREATE, Standing.WAIT_CHANGE, Standing.WAIT_CHECK, Standing.WAIT_VK})

AT_REST = IN_VK | {Standing.HIDDEN_NOT_FOR_SALE}
"""Standings of products for which there is nothing to do and nothing to tell."""

PLAIN = frozenset({Standing.IN_STEP, Standing.IN_STEP_PADDED, Standing.IN_STEP_SHORTENED})
"""Standings that a missing album may replace; the others say something that matters more."""

NEEDS_OWNER = frozenset(
    {
        Standing.NEW_GROUP,
        Standing.ZERO_PRICE,
        Standing.SHORT_NAME,
        Standing.SAME_TITLE,
        Standing.RISKY_KIND,
        Standing.REMOVED_IN_VK,
        Standing.REJECTED,
        Standing.REFUSED_FIELD,
        Standing.BAD_PHOTO,
        Standing.SHOP_FULL,
        Standing.STORE_UNPAID,
        Standing.FAILED,
    }
)
"""Standings that wait for the owner; all others are nobody's move or EvoSync's."""


@dataclass(frozen=True, slots=True)
class Status:
    """A standing with the values its sentence needs (`group`, `field`, `code`, `kopecks`, …) as plain text."""

    standing: Standing
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """By which a stored status is known to be this one."""
        return digest(self.standing.value, tuple(sorted(self.values.items())))
