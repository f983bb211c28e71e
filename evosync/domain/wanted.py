"""How one product ought to stand in VK, from the till and the owner's settings alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from evosync.domain.action import Why
from evosync.domain.catalog import Product
from evosync.domain.digest import digest
from evosync.domain.kinds import risky_kind
from evosync.domain.policy import Gone, Policy
from evosync.domain.price import shown_price, shown_stock
from evosync.domain.shelf import GroupKey, Shelf
from evosync.domain.status import Standing, Status
from evosync.domain.texts import clean_description, clean_name, vk_description, vk_name


@dataclass(frozen=True, slots=True)
class Wanted:
    """A product that belongs on sale. `name` None: no name that VK takes, so a present one stays.

    `has_own_text`: the till has a description, so changes of it are carried over. `standing` is where
    the product stands once all is written.
    """

    group: GroupKey
    name: str | None
    description: str
    kopecks: int
    stock: int
    per_grams: int
    has_own_text: bool
    standing: Status


class Effect(Enum):
    """What happens to a present item of a product that does not belong on sale."""

    LEAVE = "leave"
    HIDE = "hide"
    SELL_OUT = "sell_out"


@dataclass(frozen=True, slots=True)
class Unwanted:
    """A product that does not belong on sale: `skipped` if it has no item, else `effect` and `pushed`."""

    effect: Effect
    why: Why
    skipped: Status
    pushed: Status


def policy_digest(policy: Policy) -> bytes:
    """Digest of those settings that decide an item's fields."""
    return digest(
        policy.weight_grams,
        policy.stock_mode.value,
        policy.stock_constant,
        tuple(sorted(policy.allowed_kinds)),
    )


def source_digest(variants: Sequence[Product], settings: bytes) -> bytes:
    """Digest of all that `want` looks at for a product that is shown."""
    if len(variants) == 1:
        return digest(variants[0].digest, settings)
    return digest(*(variant.digest for variant in variants), settings)


def lead_of(variants: Sequence[Product]) -> Product:
    """The variant whose name, price and text count: the first that can be sold, else the first."""
    for variant in variants:
        if variant.sellable:
            return variant
    return variants[0]


def want(variants: Sequence[Product], shelf: Shelf, policy: Policy) -> Wanted | Unwanted:
    """Decide for one product; `variants` are its shown rows in the owner's order, at least one."""
    lead = lead_of(variants)
    kind = risky_kind(lead.kind)
    if kind is not None and kind not in policy.allowed_kinds:
        status = Status(Standing.RISKY_KIND, {"kind": kind})
        return Unwanted(Effect.HIDE, Why.NOT_SELLABLE, skipped=status, pushed=status)
    if not lead.sellable:
        return Unwanted(
            Effect.SELL_OUT,
            Why.NOT_SELLABLE,
            skipped=Status(Standing.OFF_NEVER_SOLD),
            pushed=Status(Standing.HIDDEN_NOT_FOR_SALE),
        )
    kopecks, grams = shown_price(lead, policy)
    if kopecks is None:
        status = Status(Standing.ZERO_PRICE)
        return Unwanted(Effect.HIDE, Why.NO_PRICE, skipped=status, pushed=status)
    name, shortened = vk_name(lead.name)
    description, padded = vk_description(lead.description, name=name or clean_name(lead.name), grams=grams)
    stock = shown_stock(variants, policy)
    return Wanted(
        group=shelf.group_of(lead),
        name=name,
        description=description,
        kopecks=kopecks,
        stock=stock,
        per_grams=grams,
        has_own_text=bool(lead.description) and bool(clean_description(lead.description)),
        standing=_standing(name=name, shortened=shortened, padded=padded, grams=grams, stock=stock),
    )


def _standing(*, name: str | None, shortened: bool, padded: bool, grams: int, stock: int) -> Status:
    if name is None:
        return Status(Standing.SHORT_NAME)
    if stock == 0:
        return Status(Standing.SOLD_OUT)
    if grams:
        return Status(Standing.IN_STEP_WEIGHT, {"grams": str(grams)})
    if shortened:
        return Status(Standing.IN_STEP_SHORTENED)
    if padded:
        return Status(Standing.IN_STEP_PADDED)
    return Status(Standing.IN_STEP)


def switched_off(variants: Sequence[Product], shelf: Shelf, policy: Policy) -> Unwanted:
    """A product of which no row is shown: its stores or groups are off."""
    on = [variant for variant in variants if shelf.choice.shows_store(variant.store)]
    first = on[0] if on else variants[0]
    key = shelf.group_of(first)
    group = shelf.groups.get(key)
    title = group.name if group is not None else policy.root_group_title
    if not on:
        status = Status(Standing.OFF_STORE, {"store": first.store})
    elif key in shelf.choice.groups:
        status = Status(Standing.OFF_GROUP, {"group": title})
    else:
        status = Status(Standing.NEW_GROUP, {"group": title})
    hide = policy.when_switched_off is Gone.HIDE
    return Unwanted(
        Effect.HIDE if hide else Effect.LEAVE,
        Why.SWITCHED_OFF,
        skipped=status,
        pushed=Status(Standing.HIDDEN_OFF, dict(status.values)) if hide else status,
    )
