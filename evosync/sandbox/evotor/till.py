"""What the Evotor cloud keeps: accounts with stores, in them groups and products."""

import bisect
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

import orjson

PERMISSIONS = frozenset({"store:read", "product:read", "product.quantity:read", "product-group:read"})
FIELDS = (
    "type", "name", "code", "price", "cost_price", "quantity", "measure_name", "tax", "allow_to_sell", "description",
    "article_number", "classification_code", "quantity_in_package",
)  # fmt: skip
NUMBERS = frozenset({"price", "cost_price", "quantity"})


def now_ms() -> int:
    """Unix milliseconds, the unit of ``since``."""
    return time.time_ns() // 1_000_000


def stamp(milliseconds: int) -> str:
    """A moment as Evotor writes it: ``2026-03-02T08:15:30.120+0000``."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}+0000"


def exact(value: Decimal | int) -> orjson.Fragment:
    """A decimal as a JSON number without loss; whole numbers come without a fraction."""
    return orjson.Fragment(format(Decimal(value).normalize(), "f"))


def decimal(value: object) -> Decimal:
    """The exact number behind what a catalog file, a form or JSON gave.

    Raises:
        ValueError: it is no number.
    """
    try:
        number = Decimal(str(value).strip().replace(",", "."))
    except ArithmeticError as error:
        message = f"not a number: {value!r}"
        raise ValueError(message) from error
    if not number.is_finite():
        message = f"not a number: {value!r}"
        raise ValueError(message)
    return number


@dataclass(slots=True)
class Group:
    """A product group, or a modification group when it has ``attributes``."""

    id: str
    name: str
    seq: int
    created: int
    updated: int
    parent_id: str | None = None
    attributes: list[object] | None = None
    body: bytes | None = None


@dataclass(slots=True)
class Product:
    """A product; ``fields`` holds Evotor's own names, decimals exact. Use :class:`Store` to change it."""

    id: str
    seq: int
    created: int
    updated: int
    fields: dict[str, object]
    bodies: dict[bool, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name, empty when the row has none."""
        return str(self.fields.get("name") or "")

    @property
    def price(self) -> Decimal | None:
        """Roubles."""
        value = self.fields.get("price")
        return None if value is None else decimal(value)

    @property
    def parent_id(self) -> str | None:
        """The group, None at the root."""
        value = self.fields.get("parent_id")
        return None if value is None else str(value)


Row = TypeVar("Row", Group, Product)


@dataclass(slots=True)
class Store:
    """One store with its catalog."""

    id: str
    name: str
    user_id: str
    address: str | None = None
    created: int = field(default_factory=now_ms)
    updated: int = field(default_factory=now_ms)
    unpaid: bool = False
    """Groups and products answer 402 (Evotor FACTS 3)."""
    groups: dict[str, Group] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    version: int = 0
    seq: int = 0

    def _next(self) -> int:
        self.seq += 1
        self.version += 1
        return self.seq

    def add_group(self, name: str, *, parent_id: str | None = None, group_id: str | None = None) -> Group:
        """Put a group into the store, under another one or at the root."""
        moment = now_ms()
        group = Group(group_id or str(uuid.uuid4()), name, self._next(), moment, moment, parent_id)
        self.groups[group.id] = group
        return group

    def change_group(self, group_id: str, **fields: object) -> Group:
        """Change ``name``, ``parent_id`` or ``attributes`` of a group."""
        group = self.groups[group_id]
        for name, value in fields.items():
            setattr(group, name, value)
        group.updated, group.body = now_ms(), None
        self.version += 1
        return group

    def remove_group(self, group_id: str) -> None:
        """Delete a group; its products keep pointing at it (Evotor FACTS 1.6)."""
        del self.groups[group_id]
        self.version += 1

    def add_product(
        self, name: str, price: object = None, *, product_id: str | None = None, **fields: object
    ) -> Product:
        """Put a product into the store, with the defaults of a terminal for what is not named."""
        whole: dict[str, object] = {
            "type": "NORMAL", "name": name, "price": price, "measure_name": "шт", "tax": "NO_VAT",
            "allow_to_sell": True, "description": "", "article_number": "", "barcodes": [],
        } | fields  # fmt: skip
        return self.put_product(product_id or str(uuid.uuid4()), whole)

    def put_product(self, product_id: str, fields: Mapping[str, object], *, at: int | None = None) -> Product:
        """Write a whole row as given; a field that is None is absent from the answers."""
        moment = now_ms() if at is None else at
        kept = {name: _kept(name, value) for name, value in fields.items() if value is not None}
        old = self.products.get(product_id)
        seq, created = (old.seq, old.created) if old else (self._next(), moment)
        product = Product(product_id, seq, created, moment, kept)
        self.products[product_id] = product
        self.version += 1
        return product

    def change_product(self, product_id: str, *, at: int | None = None, **fields: object) -> Product:
        """Change some fields of a product; None takes a field away. ``at`` sets another time of change, in ms."""
        product = self.products[product_id]
        for name, value in fields.items():
            if value is None:
                product.fields.pop(name, None)
            else:
                product.fields[name] = _kept(name, value)
        product.updated = now_ms() if at is None else at
        product.bodies.clear()
        self.version += 1
        return product

    def remove_product(self, product_id: str) -> None:
        """Delete a product: no tombstone is left (Evotor FACTS 0)."""
        del self.products[product_id]
        self.version += 1

    def by_name(self, name: str) -> Product:
        """The first product of that name.

        Raises:
            KeyError: there is none.
        """
        for product in self.products.values():
            if product.name == name:
                return product
        raise KeyError(name)

    def described(self) -> dict[str, object]:
        """The store as JSON."""
        seen: dict[str, object] = {"id": self.id, "name": self.name}
        if self.address is not None:
            seen["address"] = self.address
        return seen | {"user_id": self.user_id, "created_at": stamp(self.created), "updated_at": stamp(self.updated)}

    def group_body(self, group: Group) -> bytes:
        """A group as JSON bytes, kept until it changes."""
        if group.body is None:
            seen: dict[str, object] = {"id": group.id}
            if group.parent_id is not None:
                seen["parent_id"] = group.parent_id
            seen["name"] = group.name
            if group.attributes is not None:
                seen["attributes"] = group.attributes
            group.body = orjson.dumps(seen | self._tail(group.created, group.updated))
        return group.body

    def product_body(self, product: Product, *, with_quantity: bool) -> bytes:
        """A product as JSON bytes, kept until it changes."""
        body = product.bodies.get(with_quantity)
        if body is None:
            hidden = () if with_quantity else ("quantity",)
            seen = {
                name: _shown(product.fields[name]) for name in FIELDS if name in product.fields and name not in hidden
            }
            seen["id"] = product.id
            later = {name: value for name, value in product.fields.items() if name not in FIELDS}
            seen |= {name: _shown(value) for name, value in later.items()}
            body = orjson.dumps(seen | self._tail(product.created, product.updated))
            product.bodies[with_quantity] = body
        return body

    def _tail(self, created: int, updated: int) -> dict[str, object]:
        return {
            "store_id": self.id,
            "user_id": self.user_id,
            "created_at": stamp(created),
            "updated_at": stamp(updated),
        }


def _kept(name: str, value: object) -> object:
    return decimal(value) if name in NUMBERS else value


def _shown(value: object) -> object:
    return exact(value) if isinstance(value, Decimal) else value


def page(
    rows: Mapping[str, Row], *, after: int, size: int, keep: Callable[[Row], bool]
) -> tuple[list[Row], int | None]:
    """Rows that came after ``after``, at most ``size``, and where the next page starts, None at the end."""
    ordered = list(rows.values())
    at = bisect.bisect_right(ordered, after, key=lambda row: row.seq)
    wanted: Iterator[Row] = (row for row in ordered[at:] if keep(row))
    found: list[Row] = []
    for row in wanted:
        if len(found) == size:
            return found, found[-1].seq
        found.append(row)
    return found, None


@dataclass(slots=True)
class Account:
    """One owner's account as one app sees it: a cloud token and what it may read."""

    token: str
    user_id: str
    label: str
    stores: dict[str, Store] = field(default_factory=dict)
    permissions: frozenset[str] = PERMISSIONS
    revoked: bool = False
    """Everything answers 401."""
    uninstalled: bool = False
    """Everything answers 403."""

    @property
    def first(self) -> Store:
        """The first store."""
        return next(iter(self.stores.values()))
