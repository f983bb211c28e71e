"""Albums of a shop and what stands in them (VK FACTS 7)."""

import time

from evosync.sandbox.vk.call import Call
from evosync.sandbox.vk.errors import VkError, wrong
from evosync.sandbox.vk.shop import Album, Community, Item, Write


def _touched(call: Call, community: Community, method: str, *items: Item) -> None:
    now = time.time()
    for item in items:
        item.history.append(Write(now, method, call.token.label, dict(call.params.raw)))
        item.updated = now
    community.writes[method] += 1
    community.changed()


def get_albums(call: Call) -> object:
    """A page of albums, the newest first."""
    community = call.shop(writing=False)
    offset = call.params.integer("offset", low=0) or 0
    count = call.params.integer("count", low=0, high=100)
    albums = list(reversed(community.albums.values()))
    page = albums[offset : offset + (50 if count is None else count)]
    return {"count": len(albums), "items": [call.renderer.album(album, community) for album in page]}


def _looks(call: Call) -> tuple[str, bool | None, bool | None]:
    """Title, main and hidden of an album being made or changed."""
    title = call.params.required_text("title", low=1, high=128)
    main, hidden = call.params.flag("main_album"), call.params.flag("is_hidden")
    photo_id = call.params.integer("photo_id", low=0)
    if photo_id and photo_id not in call.sandbox.photos:
        raise wrong("photo_id", "is invalid: photo not found")
    if main and hidden:
        raise VkError(1446)
    return title, main, hidden


def add_album(call: Call) -> object:
    """Make an album; titles need not be unique."""
    community = call.shop(writing=True)
    title, main, hidden = _looks(call)
    if len(community.albums) >= call.sandbox.vk.max_albums:
        raise VkError(1407)
    now = time.time()
    album = Album(community.next_album, title, now, now, hidden=bool(hidden), main=bool(main))
    album.photo_id = call.params.integer("photo_id", low=0) or None
    community.next_album += 1
    community.albums[album.id] = album
    _touched(call, community, "market.addAlbum")
    return {"market_album_id": album.id, "albums_count": len(community.albums)}


def _album(community: Community, album_id: int) -> Album:
    album = community.albums.get(album_id)
    if album is None:
        raise VkError(1402)
    return album


def edit_album(call: Call) -> object:
    """Rename an album, hide it, or make it the main one."""
    community = call.shop(writing=True)
    album = _album(community, call.params.required_integer("album_id", low=0))
    title, main, hidden = _looks(call)
    if (album.main if main is None else main) and (album.hidden if hidden is None else hidden):
        raise VkError(1446)
    album.title, album.updated = title, time.time()
    album.main = album.main if main is None else main
    album.hidden = album.hidden if hidden is None else hidden
    album.photo_id = call.params.integer("photo_id", low=0) or album.photo_id
    _touched(call, community, "market.editAlbum")
    return 1


def delete_album(call: Call) -> object:
    """Remove an album; its items stay in the shop."""
    community = call.shop(writing=True)
    album = _album(community, call.params.required_integer("album_id", low=0))
    for item_id in album.item_ids:
        community.items[item_id].album_ids.pop(album.id, None)
    del community.albums[album.id]
    _touched(call, community, "market.deleteAlbum")
    return 1


def _item(community: Community, item_id: int) -> Item:
    item = community.items.get(item_id)
    if item is None or item.removed_at is not None:
        raise VkError(1403)
    return item


def _room(call: Call, album: Album, item: Item) -> None:
    if item.id in album.item_ids:
        raise VkError(1404)
    if len(album.item_ids) >= call.sandbox.vk.max_album_items:
        raise VkError(1406)


def add_to_album(call: Call) -> object:
    """Put each item into each album; what is done when one is refused is an option."""
    community = call.shop(writing=True)
    legacy = "item_ids" not in call.params and "item_id" in call.params
    item_ids = call.params.required_ids("item_id" if legacy else "item_ids")
    album_ids = call.params.required_ids("album_ids")
    albums = [_album(community, album_id) for album_id in album_ids]
    done: list[Item] = []
    try:
        for item_id in item_ids:
            item = _item(community, item_id)
            for album in albums:
                _room(call, album, item)
                _join(album, item)
            done.append(item)
    except VkError:
        if call.sandbox.vk.album_list == "nothing":
            for item in done:
                for album in albums:
                    _leave(album, item)
            done.clear()
        if done:
            _touched(call, community, "market.addToAlbum", *done)
        raise
    _touched(call, community, "market.addToAlbum", *done)
    return 1


def _join(album: Album, item: Item) -> None:
    album.item_ids[item.id] = None
    item.album_ids[album.id] = None
    album.updated = time.time()


def _leave(album: Album, item: Item) -> None:
    album.item_ids.pop(item.id, None)
    item.album_ids.pop(album.id, None)
    album.updated = time.time()


def remove_from_album(call: Call) -> object:
    """Take one item out of albums; it stays in the shop."""
    community = call.shop(writing=True)
    item = _item(community, call.params.required_integer("item_id", low=0))
    albums = [_album(community, album_id) for album_id in call.params.required_ids("album_ids")]
    for album in albums:
        _leave(album, item)
    _touched(call, community, "market.removeFromAlbum", item)
    return 1
