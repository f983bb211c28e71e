"""Everything the imitated clouds know, and everything a test may set or ask."""

import asyncio
import random
import secrets
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from evosync.sandbox.evotor.till import PERMISSIONS, Account, Store
from evosync.sandbox.faults import Fault, Faults
from evosync.sandbox.ledger import Arrival, Ledger
from evosync.sandbox.options import EvotorOptions, Latency, VkOptions
from evosync.sandbox.pictures import draw, examine
from evosync.sandbox.vk.errors import VkError
from evosync.sandbox.vk.photos import UploadServer
from evosync.sandbox.vk.render import Renderer
from evosync.sandbox.vk.shop import Album, Community, Item, Person, Photo, Token

ALL_SCOPES = ("market", "photos", "groups", "offline")


@dataclass(slots=True)
class Sandbox:
    """Both clouds. Change it directly; the next request sees the change."""

    vk: VkOptions = field(default_factory=VkOptions)
    evotor: EvotorOptions = field(default_factory=EvotorOptions)
    latency: Latency = field(default_factory=Latency)
    faults: Faults = field(default_factory=Faults)
    ledger: Ledger = field(default_factory=Ledger)
    accounts: dict[str, Account] = field(default_factory=dict)
    """By cloud token."""
    tokens: dict[str, Token] = field(default_factory=dict)
    """VK tokens by their text."""
    people: dict[int, Person] = field(default_factory=dict)
    communities: dict[int, Community] = field(default_factory=dict)
    photos: dict[int, Photo] = field(default_factory=dict)
    upload_server: UploadServer = field(default_factory=UploadServer)
    evotor_windows: dict[tuple[str, str], deque[float]] = field(default_factory=dict)
    dice: random.Random = field(default_factory=lambda: random.Random(3))  # noqa: S311 - order of bulk photos
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server stops: everything that hangs or is held lets go."""
    base_url: str | None = None
    photo_number: int = 457_000_000
    plain_picture: bytes = b""
    """What an item shows whose maker named no picture; drawn when first needed."""
    rendering: tuple[object, ...] = ()
    renderer_kept: Renderer | None = None

    def add_till(
        self,
        token: str,
        user_id: str,
        stores: Sequence[str | Mapping[str, str]] = ("Магазин",),
        *,
        permissions: Iterable[str] = PERMISSIONS,
    ) -> Account:
        """An Evotor account; each store is a name or a mapping with ``name`` and perhaps ``id`` and ``address``."""
        account = Account(token, user_id, f"till-{len(self.accounts) + 1}", permissions=frozenset(permissions))
        for entry in stores:
            fields = {"name": entry} if isinstance(entry, str) else dict(entry)
            store_id = fields.get("id") or _store_id()
            account.stores[store_id] = Store(store_id, fields["name"], user_id, fields.get("address"))
        self.accounts[token] = account
        return account

    def account(self, user_id: str) -> Account:
        """The account of that Evotor user.

        Raises:
            KeyError: there is none.
        """
        for account in self.accounts.values():
            if account.user_id == user_id:
                return account
        raise KeyError(user_id)

    def load_catalog(
        self,
        account: Account | str,
        store_id: str,
        catalog: Mapping[str, object],
        first: int | None = None,
        *,
        id_suffix: str = "",
    ) -> Store:
        """Fill a store with a catalog dict of the shape ``{"groups": [...], "products": [...]}``.

        With ``first`` only so many products come, and only the groups they need. ``id_suffix`` makes
        the same catalog another owner's: it is put at the end of every id.
        """
        owner = self.account(account) if isinstance(account, str) else account
        store = owner.stores[store_id]
        groups, products = _rows(catalog, "groups"), _rows(catalog, "products")
        if first is not None:
            products = products[:first]
            groups = _needed(groups, products)
        for row in groups:
            parent = row.get("parent_id")
            store.add_group(
                str(row["name"]),
                parent_id=None if parent is None else f"{parent}{id_suffix}",
                group_id=f"{row['id']}{id_suffix}",
            )
        for row in products:
            fields: dict[str, object] = {"type": "NORMAL", "tax": "NO_VAT", "allow_to_sell": True, "measure_name": "шт"}
            fields |= {name: value for name, value in row.items() if name != "id"}
            if fields.get("parent_id") is not None:
                fields["parent_id"] = f"{fields['parent_id']}{id_suffix}"
            store.put_product(f"{row['id']}{id_suffix}", fields)
        return store

    def add_person(
        self,
        token: str,
        scopes: Iterable[str] = ALL_SCOPES,
        expires: float | None = None,
        *,
        person_id: int | None = None,
        name: tuple[str, str] = ("Анна", "Лавкина"),
        kind: Literal["user", "community"] = "user",
    ) -> Person:
        """A VK user with a token; ``expires`` is in seconds from now. A known ``person_id`` gets one more token."""
        number = person_id if person_id is not None else 100_000 + len(self.people) + 1
        person = self.people.setdefault(number, Person(number, *name))
        until = None if expires is None else time.time() + expires
        label = f"vk-{len(self.tokens) + 1}"
        self.tokens[token] = Token(token, label, number, frozenset(scopes), until, kind=kind)
        return person

    def add_community(
        self,
        group_id: int,
        name: str,
        owner_token: str,
        *,
        currency: int = 643,
        market_enabled: bool = True,
        level: int = 3,
    ) -> Community:
        """A community; the person of the token has that administrator level in it."""
        community = Community(group_id, name, currency=currency, market_enabled=market_enabled)
        community.levels[self.tokens[owner_token].person_id] = level
        self.communities[group_id] = community
        return community

    def add_photo(self, group_id: int, body: bytes) -> Photo:
        """A photo that is there already, owned by no item yet.

        Raises:
            ValueError: the bytes are no picture.
        """
        picture = examine(body)
        if picture is None:
            message = "no JPG, PNG or GIF"
            raise ValueError(message)
        self.upload_server.pictures.setdefault(picture.digest, picture)
        photo = Photo(self.next_photo_id(), group_id, 0, picture.digest, picture.width, picture.height, time.time())
        self.photos[photo.id] = photo
        return photo

    def add_item(
        self,
        group_id: int,
        name: str,
        kopecks: int,
        *,
        description: str = "Описание товара.",
        sku: str = "",
        stock: int | None = None,
        hidden: bool = False,
        category_id: int = 40_932,
        album_ids: Iterable[int] = (),
        picture: bytes | None = None,
    ) -> Item:
        """An item as if the owner had made it by hand; it counts as no write."""
        community, now = self.communities[group_id], time.time()
        item = Item(
            community.next_item, name, description, category_id, kopecks, now, now, sku=sku, stock=stock, hidden=hidden
        )
        if not picture and not self.plain_picture:
            self.plain_picture = draw(((235, 240, 245), (120, 150, 190), (90, 120, 160)))
        photo = self.add_photo(group_id, picture or self.plain_picture)
        photo.item_id, item.photo_ids = item.id, [photo.id]
        for album_id in album_ids:
            item.album_ids[album_id] = None
            community.albums[album_id].item_ids[item.id] = None
        community.items[item.id] = item
        community.next_item += 1
        community.live += 1
        community.changed()
        return item

    def add_album(self, group_id: int, title: str) -> Album:
        """An album as if the owner had made it by hand."""
        community, now = self.communities[group_id], time.time()
        album = Album(community.next_album, title, now, now)
        community.albums[album.id] = album
        community.next_album += 1
        community.changed()
        return album

    def change_item(self, group_id: int, item_id: int, **fields: object) -> Item:
        """Change an item as if the owner had done it by hand; names are those of :class:`Item`."""
        community = self.communities[group_id]
        item = community.items[item_id]
        for name, value in fields.items():
            if name not in Item.__slots__:
                raise AttributeError(name)
            setattr(item, name, value)
        item.touched(time.time())
        community.changed()
        return item

    def remove_item(self, group_id: int, item_id: int) -> None:
        """Delete an item as if the owner had done it by hand."""
        community = self.communities[group_id]
        item = community.items[item_id]
        item.removed_at = time.time()
        community.live -= 1
        for album_id in item.album_ids:
            community.albums[album_id].item_ids.pop(item_id, None)
        item.touched(time.time())
        community.changed()

    def revoke(self, token: str) -> None:
        """Make a token of either cloud worthless: VK answers 5, Evotor 401."""
        if token in self.tokens:
            self.tokens[token].revoked = True
        else:
            self.accounts[token].revoked = True

    def fault(self, kind: str, method: str = "*", **rest: object) -> Fault:
        """Put a fault in force; see :class:`Fault` for the names. ``token`` may be the token itself or its label.

        Raises:
            ValueError: an unknown kind or moment.
            TypeError: an unknown name.
        """
        token = rest.get("token")
        if isinstance(token, str):
            known = self.tokens.get(token) or self.accounts.get(token)
            rest["token"] = known.label if known else token
        return self.faults.add(Fault(kind=kind, method=method, **rest))  # type: ignore[arg-type]  # Fault checks them

    def next_photo_id(self) -> int:
        """A fresh id for a photo."""
        self.photo_number += 1
        return self.photo_number

    def label_of(self, token: str | None) -> str:
        """The label that stands for a VK token in the ledger."""
        known = self.tokens.get(token or "")
        return known.label if known else "nobody"

    def till_label_of(self, token: str) -> str:
        """The label that stands for a cloud token in the ledger."""
        known = self.accounts.get(token)
        return known.label if known else "nobody"

    def admit(self, text: str | None, arrival: Arrival) -> Token:
        """The token of a VK request that may go on, counted against its rate.

        Raises:
            VkError: 5 for a token that is missing, unknown, revoked or too old; 6 beyond the rate.
        """
        if not text:
            raise VkError(5, "no access_token passed.")
        token = self.tokens.get(text)
        if token is None or token.revoked:
            raise VkError(5, "invalid access_token (4).")
        if token.expires_at is not None and time.time() >= token.expires_at:
            raise VkError(5, "access_token has expired.")
        if not token.pace.admits(arrival.at, self.vk.requests_per_second):
            raise VkError(6)
        return token

    def renderer(self, origin: str) -> Renderer:
        """What writes items; made anew, and all kept bytes dropped, when an option of reading changed."""
        if self.base_url is None:
            self.base_url = origin
        options = self.vk
        rendering = (
            self.base_url, options.texts, options.price_read_percent, options.item_bytes, options.odd_rows,
            options.stock_zero_is_unavailable,
        )  # fmt: skip
        if self.renderer_kept is None or rendering != self.rendering:
            self.renderer_kept, self.rendering = Renderer(options, self.base_url), rendering
            for community in self.communities.values():
                community.forget_listing()
                for item in community.items.values():
                    item.head = None
        return self.renderer_kept

    def reset_counters(self) -> None:
        """Forget arrivals, sums, writes and adds spent; shops and catalogs stay."""
        self.ledger.clear()
        self.upload_server.received = 0
        for token in self.tokens.values():
            token.adds = 0
        for community in self.communities.values():
            community.writes.clear()

    def clear(self) -> None:
        """Forget everything but the options."""
        self.faults.clear()
        self.reset_counters()
        for kept in (self.accounts, self.tokens, self.people, self.communities, self.photos, self.evotor_windows):
            kept.clear()
        self.upload_server = UploadServer()


def _store_id() -> str:
    text = secrets.token_hex(12).upper()
    return f"20240115-{text[:4]}-40D1-80B2-{text[4:16]}"


def _rows(catalog: Mapping[str, object], name: str) -> list[dict[str, object]]:
    rows = catalog.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _needed(groups: list[dict[str, object]], products: list[dict[str, object]]) -> list[dict[str, object]]:
    """The groups of these products with all above them, in the order of the catalog."""
    parents = {row["id"]: row.get("parent_id") for row in groups}
    needed: set[object] = set()
    for product in products:
        at = product.get("parent_id")
        while at is not None and at not in needed:
            needed.add(at)
            at = parents.get(at)
    return [row for row in groups if row["id"] in needed]
