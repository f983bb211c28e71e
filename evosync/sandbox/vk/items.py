"""``market.add``, ``edit``, ``delete``, ``restore``, ``get``, ``getById`` (VK FACTS 1, 2, 6)."""

import re
import time
from datetime import UTC, datetime

import orjson

from evosync.sandbox.vk.call import Call
from evosync.sandbox.vk.categories import BY_ID, tree
from evosync.sandbox.vk.errors import VkError, wrong
from evosync.sandbox.vk.rules import check_description, check_name, read_back
from evosync.sandbox.vk.shop import Community, Item, Write

FULL_ID = re.compile(r"-([0-9]{1,12})_([0-9]{1,12})\Z")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
DIMENSIONS = ("dimension_width", "dimension_height", "dimension_length")
MOST_BY_ID = 100


def _category(call: Call, *, required: bool) -> int | None:
    read = call.params.required_integer if required else call.params.integer
    category_id = read("category_id", low=0)
    if category_id is not None and category_id not in BY_ID:
        raise wrong("category_id", "is invalid: no such category")
    return category_id


def _size(call: Call) -> tuple[int, int, int, int] | None:
    sides = [call.params.integer(name, low=0, high=100_000) for name in DIMENSIONS]
    weight = call.params.integer("weight", low=0, high=100_000_000)
    width, height, depth = sides
    if width is None and height is None and depth is None and weight is None:
        return None
    if width is None or height is None or depth is None or weight is None:
        raise VkError(1429)
    return width, height, depth, weight


def _photos(call: Call, community: Community, item: Item | None) -> list[int] | None:
    """The photos an item will have, main one first, or None when none are named.

    Raises:
        VkError: 100 for a photo that is nobody's, of another community, or of another item.
    """
    main = call.params.integer("main_photo_id", low=0)
    more = call.params.ids("photo_ids", most=4)
    if main is None and more is None:
        return None
    old = item.photo_ids if item is not None else []
    head = [main] if main is not None else old[:1]
    wanted = head + (more if more is not None else old[1:])
    for photo_id in wanted:
        photo = call.sandbox.photos.get(photo_id)
        owned_by_other = photo is not None and photo.item_id is not None and (item is None or photo.item_id != item.id)
        if photo is None or photo.group_id != community.id or owned_by_other:
            raise wrong("main_photo_id", f"is invalid: photo {photo_id} not found or already belongs to another item")
    if len(set(wanted)) != len(wanted):
        raise wrong("photo_ids", "is invalid: the same photo twice")
    return wanted


def _ignored(call: Call) -> None:
    """Check parameters that we accept and do not imitate any further."""
    call.params.ids("video_ids", most=2)
    if call.params.ids("variant_ids", most=2):
        raise VkError(1416)
    call.params.flag("is_main_variant")


def _spend_add(call: Call) -> None:
    allowed = call.sandbox.vk.captcha_after_adds
    if allowed is not None and call.token.adds >= allowed:
        raise VkError(14)


def add(call: Call) -> object:
    """Put a new item into the shop; a repeated call makes a second one (VK FACTS 8)."""
    community = call.shop(writing=True)
    params, options = call.params, call.sandbox.vk
    name = params.required_text("name")
    check_name(name)
    description = params.required_text("description")
    check_description(description)
    category_id = _category(call, required=True)
    kopecks = params.kopecks("price") or 0
    old_kopecks = params.kopecks("old_price") or 0
    photos = _photos(call, community, None)
    if not photos and options.photo_required:
        raise wrong("main_photo_id", "is undefined")
    url = params.text("url", high=320) or ""
    sku = params.text("sku", high=50) or ""
    stock = params.integer("stock_amount", low=-1, high=999_999)
    hidden = bool(params.flag("deleted"))
    size = _size(call)
    _ignored(call)
    _spend_add(call)
    if community.live >= options.max_items:
        raise VkError(1405)
    now = time.time()
    item = Item(
        id=community.next_item,
        name=name,
        description=description,
        category_id=category_id or 0,
        kopecks=kopecks,
        old_kopecks=old_kopecks,
        created=now,
        updated=now,
        visible_from=now + options.listing_lag,
        hidden=hidden,
        photo_ids=photos or [],
        url=url,
        sku=sku,
        stock=stock,
        size=size,
    )
    community.next_item += 1
    community.items[item.id] = item
    community.live += 1
    call.token.adds += 1
    _own_photos(call, item)
    _wrote(call, community, item, "market.add")
    return {"market_item_id": item.id}


def _own_photos(call: Call, item: Item) -> None:
    for photo_id in item.photo_ids:
        call.sandbox.photos[photo_id].item_id = item.id


def _wrote(call: Call, community: Community, item: Item, method: str) -> None:
    now = time.time()
    item.history.append(Write(now, method, call.token.label, dict(call.params.raw)))
    item.touched(now)
    community.writes[method] += 1
    community.changed()


def _found(community: Community, item_id: int) -> Item:
    item = community.items.get(item_id)
    if item is None or item.removed_at is not None:
        raise VkError(1403)
    return item


def edit(call: Call) -> object:
    """Change what is named and leave the rest; see the options for two habits that bite."""
    community = call.shop(writing=True)
    params, options = call.params, call.sandbox.vk
    item = _found(community, params.required_integer("item_id", low=0))
    wanted: dict[str, object] = {}
    name = params.text("name")
    if name is not None:
        check_name(name)
        wanted["name"] = name
    description = params.text("description")
    if description is not None:
        check_description(description)
        wanted["description"] = description
    read = {
        "category_id": _category(call, required=False),
        "kopecks": params.kopecks("price"),
        "old_kopecks": params.kopecks("old_price"),
        "photo_ids": _photos(call, community, item),
        "url": params.text("url", high=320),
        "sku": params.text("sku", high=50),
        "stock": params.integer("stock_amount", low=-1, high=999_999),
        "size": _size(call),
        "hidden": params.flag("deleted"),
    }
    _ignored(call)
    wanted |= {field: value for field, value in read.items() if value is not None}
    if "hidden" not in wanted and options.edit_clears_hidden and item.hidden:
        wanted["hidden"] = False
    changes = {field: value for field, value in wanted.items() if _differs(call, item, field, value)}
    if not changes and options.refuse_empty_edit:
        raise VkError(100, "nothing to change")
    for field, value in changes.items():
        setattr(item, field, value)
    _own_photos(call, item)
    _wrote(call, community, item, "market.edit")
    return 1


def _differs(call: Call, item: Item, field: str, value: object) -> bool:
    old = getattr(item, field)
    if field in ("name", "description"):
        style, one_line = call.sandbox.vk.texts, field == "name"
        return read_back(str(old), style=style, one_line=one_line) != read_back(
            str(value), style=style, one_line=one_line
        )
    return bool(old != value)


def delete(call: Call) -> object:
    """Remove an item; it can be restored for a while."""
    community = call.shop(writing=True)
    item = _found(community, call.params.required_integer("item_id", low=0))
    item.removed_at = time.time()
    community.live -= 1
    for album_id in item.album_ids:
        community.albums[album_id].item_ids.pop(item.id, None)
    _wrote(call, community, item, "market.delete")
    return 1


def restore(call: Call) -> object:
    """Bring a removed item back."""
    community = call.shop(writing=True)
    item = community.items.get(call.params.required_integer("item_id", low=0))
    if item is None:
        raise VkError(1403)
    if item.removed_at is None:
        raise VkError(1518)
    if time.time() - item.removed_at > call.sandbox.vk.restore_seconds:
        raise VkError(1400)
    item.removed_at = None
    community.live += 1
    for album_id in item.album_ids:
        community.albums[album_id].item_ids[item.id] = None
    _wrote(call, community, item, "market.restore")
    return 1


def _moment(call: Call, name: str) -> float | None:
    text = call.params.text(name)
    if not text:
        return None
    if not DAY.match(text):
        raise wrong(name, "should be yyyy-mm-dd")
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise wrong(name, "should be yyyy-mm-dd") from error


def get(call: Call) -> object:
    """A page of the shop, new items first; unavailable ones only with ``with_disabled``."""
    community = call.shop(writing=False)
    params, options = call.params, call.sandbox.vk
    album_id = params.integer("album_id") or 0
    count = params.integer("count", low=0, high=200)
    offset = params.integer("offset", low=0) or 0
    extended = bool(params.flag("extended"))
    with_disabled = bool(params.flag("with_disabled"))
    since, until = _moment(call, "date_from"), _moment(call, "date_to")
    params.flag("need_variants")
    params.text("fields")
    items = community.listed(
        album_id=album_id,
        with_disabled=with_disabled,
        zero_is_out=options.stock_zero_is_unavailable,
        lag=options.listing_lag,
    )
    if since is not None:
        items = [item for item in items if item.updated >= since]
    if until is not None:
        items = [item for item in items if item.updated < until + 86_400]
    page = items[offset : offset + (100 if count is None else count)]
    rows = orjson.Fragment(call.renderer.items(page, community, extended=extended))
    return {"count": max(0, len(items) + options.count_drift), "items": rows}


def get_by_id(call: Call) -> object:
    """Items by ``-group_item``; what is missing depends on the options (VK FACTS 6)."""
    call.person_only("market")
    params = call.params
    asked = [part.strip() for part in params.required_text("item_ids").split(",") if part.strip()]
    if len(asked) > MOST_BY_ID:
        raise wrong("item_ids", f"has too many values, at most {MOST_BY_ID}")
    extended = bool(params.flag("extended"))
    matched = [match for match in map(FULL_ID.match, asked) if match]
    if not matched or (len(matched) < len(asked) and call.sandbox.vk.malformed_ids == "refuse"):
        raise wrong("item_ids", "is invalid")
    rows: list[bytes] = []
    for match in dict.fromkeys((int(m[1]), int(m[2])) for m in matched):
        row = _one_by_id(call, *match, extended=extended)
        if row is not None:
            rows.append(row)
    return {"count": len(rows), "items": orjson.Fragment(b"[" + b",".join(rows) + b"]")}


def _one_by_id(call: Call, group_id: int, item_id: int, *, extended: bool) -> bytes | None:
    community = call.sandbox.communities.get(group_id)
    if community is None or not community.edited_by(call.token.person_id):
        return None
    if not community.market_enabled:
        raise VkError(1525)
    item = community.items.get(item_id)
    if item is None:
        return None
    body = call.renderer.item(item, community, extended=extended)
    if item.removed_at is None or call.sandbox.vk.removed_by_id == "availability":
        return body
    if call.sandbox.vk.removed_by_id == "absent":
        return None
    return body.replace(b'{"id":%d,' % item.id, b'{"id":0,', 1)


def get_categories(call: Call) -> object:
    """The tree of categories."""
    call.person_only("market")
    call.params.integer("group_id", low=1)
    call.params.integer("album_id", low=1)
    return {"items": list(tree())}
