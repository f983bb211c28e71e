"""Addresses on VK's own site."""

from typing import Final

from evosync.domain.ids import AlbumId, CommunityId, ItemId

_SITE: Final = "https://vk.com"


def shop_address(community: CommunityId) -> str:
    return f"{_SITE}/market-{community}"


def item_address(community: CommunityId, item: ItemId) -> str:
    """Opens the item over its shop."""
    return f"{_SITE}/market-{community}?w=product-{community}_{item}"


def album_address(community: CommunityId, album: AlbumId) -> str:
    return f"{_SITE}/market-{community}?section=album_{album}"
