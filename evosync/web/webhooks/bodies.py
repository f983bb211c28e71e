"""What a body says, in any of the spellings that were seen (Evotor FACTS 4.4). Nothing here trusts a price."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard

import orjson

from evosync.accounts.addresses import NotAnAddress, mail_address, phone_number
from evosync.domain.ids import LONGEST, ProductId, StoreId
from evosync.web.webhooks.answers import incorrect, missing, unreadable

Row = Mapping[str, Any]

USER: Final = ("userId", "userUuid", "user_id", "userUUID")
STORE: Final = ("storeUuid", "storeId", "store_id", "storeUUID")
_PRODUCT: Final = ("product_id", "productId", "productUuid", "commodityUuid", "commodity_id")
_ID: Final = ("uuid", "id")
_TILL_USER: Final = re.compile(r"[0-9A-Fa-f]{2}-[0-9A-Fa-f]{15}")
_LONGEST_TOKEN: Final = 500
_MOST_NAMED: Final = 50
"""Products of one receipt that are named; beyond them all that changed is read."""
_DEPTH: Final = 6
_LONGEST_TIME: Final = 40


def parsed(body: bytes) -> Any:
    """Raises `Refusal` with 400/2001."""
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        raise unreadable() from None


def as_object(value: Any) -> Row:
    if not isinstance(value, dict):
        raise unreadable()
    return value


def rows_of(value: Any) -> Sequence[Row]:
    """One, a list of them, or a page with `items`. Raises `Refusal` for anything else."""
    if isinstance(value, dict):
        inner = value.get("items")
        value = inner if isinstance(inner, list) else [value]
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise unreadable()
    return value


def text_of(row: Row, names: Sequence[str]) -> str:
    """The first of these names that holds a text; empty if none does."""
    return next((row[name] for name in names if isinstance(row.get(name), str) and row[name]), "")


def till_user_of(row: Row) -> str:
    """Raises `Refusal`: the number of the account must be there, and look like one (Evotor FACTS 4.5)."""
    given = next((row[name] for name in USER if row.get(name) is not None), None)
    if given is None:
        raise missing("userId")
    if not isinstance(given, str) or not _TILL_USER.fullmatch(given):
        raise incorrect("userId", given if isinstance(given, str | int | float) else "")
    return given


def required_text(row: Row, name: str, *others: str, longest: int = _LONGEST_TOKEN) -> str:
    """A text that is never shown again. Raises `Refusal`."""
    given = next((row[key] for key in (name, *others) if row.get(key) is not None), None)
    if given is None or given == "":
        raise missing(name)
    if not isinstance(given, str) or len(given) > longest:
        raise incorrect(name)
    return given


def moment_of(value: object) -> float | None:
    """A time as the cloud writes it, in Unix milliseconds: a number, the same as a text, or a date. None for others."""
    if isinstance(value, str) and len(value) < _LONGEST_TIME:
        with suppress(ValueError, OverflowError):
            return float(value) if value.isdecimal() else datetime.fromisoformat(value).timestamp() * 1_000
    return value if is_number(value) else None


def is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53


def cloud_token_of(row: Row) -> str:
    """One that fits into a header. Raises `Refusal`."""
    token = required_text(row, "token")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise incorrect("token")
    return token


@dataclass(frozen=True, slots=True)
class Reached:
    """How an owner can be reached, as far as the portal's custom fields say."""

    email: str | None = None
    phone: str | None = None


def reached_by(row: Row) -> Reached:
    """The publisher names the fields: every one that sounds like an address is tried."""
    found: dict[str, str] = {}
    for name, value in _fields(row):
        if "mail" in name and "email" not in found:
            found |= _read("email", value)
        elif ("phone" in name or name.startswith("tel")) and "phone" not in found:
            found |= _read("phone", value)
    return Reached(found.get("email"), found.get("phone"))


def _fields(row: Row) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if isinstance(value, str):
            yield name.casefold(), value
        elif isinstance(value, dict):
            yield from ((inner.casefold(), text) for inner, text in value.items() if isinstance(text, str))


def _read(kind: str, value: str) -> dict[str, str]:
    if len(value) > 300:
        return {}
    try:
        return {kind: mail_address(value, test_domains=True) if kind == "email" else phone_number(value)}
    except NotAnAddress:
        return {}


@dataclass(frozen=True, slots=True)
class Named:
    """Where to look. `products` are named by receipts alone; `everywhere`: no store was named; `gone`: one left."""

    stores: frozenset[StoreId] = frozenset()
    products: frozenset[tuple[StoreId, ProductId]] = frozenset()
    everywhere: bool = False
    gone: bool = False

    def facts(self) -> dict[str, Any]:
        """As a delivery keeps it."""
        facts: dict[str, Any] = {"stores": sorted(self.stores)}
        if self.products:
            facts["products"] = sorted(self.products)
        if self.everywhere:
            facts["everywhere"] = True
        if self.gone:
            facts["gone"] = True
        return facts


def named_of(facts: Mapping[str, Any]) -> Named:
    return Named(
        stores=frozenset(StoreId(store) for store in facts.get("stores", ())),
        products=frozenset((StoreId(store), ProductId(product)) for store, product in facts.get("products", ())),
        everywhere=bool(facts.get("everywhere")),
        gone=bool(facts.get("gone")),
    )


def of_store(store: str) -> Named:
    return Named(frozenset({StoreId(store)})) if _is_id(store) else Named(everywhere=True)


def stores_named(value: Any) -> Named:
    """Of the list of stores."""
    found = [text_of(row, (*_ID, *STORE)) for row in rows_of(value)]
    return Named(frozenset(StoreId(store) for store in found if _is_id(store)))


def sold(value: Any, *, store: str = "") -> Named:
    """Of documents and receipts, v1 and v2: their stores, and the products that they are about."""
    stores: set[StoreId] = set()
    products: set[tuple[StoreId, ProductId]] = set()
    for row in rows_of(value):
        data = row.get("data")
        inner: Row = data if isinstance(data, dict) else row
        here = text_of(inner, STORE) or text_of(row, STORE) or store
        if not _is_id(here):
            continue
        stores.add(StoreId(here))
        products |= {(StoreId(here), ProductId(product)) for product in _products(inner, 0)}
    too_many = len(products) > _MOST_NAMED
    # Then only a whole listing shows what was sold: it is in no delta (Evotor FACTS 1.2).
    return Named(frozenset(stores), frozenset(() if too_many else products), everywhere=not stores, gone=too_many)


def event_named(row: Row) -> Named:
    """Of the newer events: a payload in v2 names (Evotor FACTS 4.7)."""
    payload = row.get("payload")
    kind, inner = row.get("type"), payload if isinstance(payload, dict) else {}
    if kind == "DocumentEvent":
        return sold(inner)
    store = text_of(inner, _ID if kind == "StoreEvent" else STORE)
    stores = frozenset({StoreId(store)}) if _is_id(store) else frozenset()
    return Named(stores, everywhere=not stores, gone=row.get("action") == "removed")


def _products(row: Any, depth: int) -> Iterator[str]:
    """Wherever a document names one: positions, transactions, items of a receipt."""
    if depth > _DEPTH:
        return
    if isinstance(row, list):
        for each in row:
            yield from _products(each, depth + 1)
    elif isinstance(row, dict):
        product = text_of(row, _PRODUCT)
        if _is_id(product):
            yield product
        for name, value in row.items():
            if name == "items" and isinstance(value, list):
                # A receipt's items carry the product's id as their own.
                yield from (
                    text_of(each, _ID) for each in value if isinstance(each, dict) and _is_id(text_of(each, _ID))
                )
            elif isinstance(value, dict | list):
                yield from _products(value, depth + 1)


def _is_id(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text.isprintable()


def users_of(value: Any) -> frozenset[str]:
    """Every account that the rows themselves name."""
    rows = value if isinstance(value, list) else [value]
    found: set[str] = set()
    for row in rows:
        if isinstance(row, dict):
            inner = row.get("items")
            found |= {text_of(row, USER)} | (users_of(inner) if isinstance(inner, list) else set())
    return frozenset(found - {""})
