"""Items, albums and photos as the JSON that VK sends; bytes are kept, since listings are long and asked for often."""

import orjson

from evosync.sandbox.options import VkOptions
from evosync.sandbox.vk.categories import BY_ID, described
from evosync.sandbox.vk.rules import read_back
from evosync.sandbox.vk.shop import Album, Community, Item, Photo, availability

CURRENCIES = {643: ("RUB", "₽"), 933: ("BYN", "Br"), 398: ("KZT", "₸"), 840: ("USD", "$"), 978: ("EUR", "€")}
SIZES = (
    ("s", 75), ("m", 130), ("x", 604), ("o", 130), ("p", 200), ("q", 320), ("r", 510),
    ("k", 240), ("l", 480), ("y", 807), ("z", 1080), ("w", 1280), ("a", 200), ("b", 320),
)  # fmt: skip
HEAD_BYTES = 1_500
TAIL = (
    b'],"can_comment":1,"can_repost":1,"likes":{"count":0,"user_likes":0},"reposts":{"count":0},'
    b'"views_count":0,"can_edit":true,"can_delete":true}'
)


def currency(code: int) -> dict[str, object]:
    """The currency as VK describes it."""
    name, sign = CURRENCIES.get(code, ("XXX", "¤"))
    return {"id": code, "name": name, "title": sign}


def price_text(kopecks: int, code: int) -> str:
    """A price for people, such as ``1 299,90 ₽``."""
    whole, rest = divmod(kopecks, 100)
    grouped = f"{whole:,}".replace(",", "\u00a0")
    sign = CURRENCIES.get(code, ("XXX", "¤"))[1]
    return f"{grouped},{rest:02d}\u00a0{sign}" if rest else f"{grouped}\u00a0{sign}"


class Renderer:
    """Turns what is kept into what is sent. One per sandbox and base address."""

    def __init__(self, options: VkOptions, base_url: str) -> None:
        """Take the options once: whoever changes them afterwards asks for another renderer."""
        self.options = options
        self.base_url = base_url
        self.template = self._photo_template()

    def _photo_template(self) -> bytes:
        """One photo with ``@@@`` for its id and ``###`` for its community, padded to make long items."""
        sign = "0" * 16
        plain = self._photo_text(sign)
        missing = self.options.item_bytes - HEAD_BYTES - len(plain)
        return self._photo_text(sign + "5d" * max(0, missing // (2 * len(SIZES))))

    def _photo_text(self, sign: str) -> bytes:
        sizes = [
            {
                "height": size,
                "type": kind,
                "width": size,
                "url": f"{self.base_url}/vk/photo/@@@?size={size}x{size}&quality=95&sign={sign}",
            }
            for kind, size in SIZES
        ]
        photo = {
            "album_id": -53,
            "date": 0,
            "id": "@@@",
            "owner_id": "###",
            "sizes": sizes,
            "text": "",
            "has_tags": False,
        }
        return orjson.dumps(photo).replace(b'"@@@"', b"@@@").replace(b'"###"', b"-###")

    def photo(self, photo: Photo) -> bytes:
        """One photo object."""
        return self.photo_by_id(photo.id, photo.group_id)

    def photo_by_id(self, photo_id: int, group_id: int) -> bytes:
        """One photo object, from its ids alone."""
        return self.template.replace(b"@@@", b"%d" % photo_id).replace(b"###", b"%d" % group_id)

    def photo_url(self, photo_id: int) -> str:
        """Where the picture of a photo can be seen."""
        return f"{self.base_url}/vk/photo/{photo_id}?size=400x400"

    def _head(self, item: Item, community: Community) -> bytes:
        style = self.options.texts
        amount = item.kopecks * self.options.price_read_percent // 100
        price: dict[str, object] = {
            "amount": str(amount),
            "currency": currency(community.currency),
            "text": price_text(amount, community.currency),
        }
        if item.old_kopecks:
            price["old_amount"] = str(item.old_kopecks)
            price["old_amount_text"] = price_text(item.old_kopecks, community.currency)
            price["discount_rate"] = -round(100 - 100 * item.kopecks / item.old_kopecks)
        category = described(BY_ID[item.category_id])
        seen: dict[str, object] = {
            "id": item.id,
            "owner_id": -community.id,
            "title": read_back(item.name, style=style, one_line=True),
            "description": read_back(item.description, style=style, one_line=False),
            "price": price,
            "category": category,
            "category_v2": category,
            "date": int(item.created),
            "availability": availability(item, zero_is_out=self.options.stock_zero_is_unavailable),
            "is_owner": True,
            "is_adult": False,
            "is_favorite": False,
        }
        if item.photo_ids:
            seen["thumb_photo"] = self.photo_url(item.photo_ids[0])
        if item.sku:
            seen["sku"] = item.sku
        if item.stock is not None:
            seen["stock_amount"] = item.stock
        if item.url:
            seen["url"] = item.url
        return orjson.dumps(seen)[:-1]

    def item(self, item: Item, community: Community, *, extended: bool) -> bytes:
        """One item object, short or extended."""
        if item.head is None:
            item.head = self._head(item, community)
        if not extended:
            return item.head + b"}"
        albums = b",".join([b"%d" % album_id for album_id in item.album_ids])
        photos = b",".join([self.photo_by_id(photo_id, community.id) for photo_id in item.photo_ids])
        return b"".join((item.head, b',"albums_ids":[', albums, b'],"photos":[', photos, TAIL))

    def items(self, items: list[Item], community: Community, *, extended: bool) -> bytes:
        """A JSON array of items."""
        rows = [self.item(item, community, extended=extended) for item in items]
        if self.options.odd_rows and rows:
            rows.insert(len(rows) // 2, b"false")
        return b"[" + b",".join(rows) + b"]"

    def album(self, album: Album, community: Community) -> dict[str, object]:
        """One album object."""
        seen: dict[str, object] = {
            "id": album.id,
            "owner_id": -community.id,
            "title": read_back(album.title, style=self.options.texts, one_line=True),
            "count": len(album.item_ids),
            "is_main": album.main,
            "is_hidden": album.hidden,
            "updated_time": int(album.updated),
            "type": 0,
            "is_blur_enabled": False,
        }
        if album.photo_id is not None:
            seen["photo"] = orjson.Fragment(self.photo_by_id(album.photo_id, community.id))
        return seen
