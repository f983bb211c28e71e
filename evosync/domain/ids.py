"""Identifiers, each its own type so that a store can never be passed for a group."""

from typing import NewType

UserId = NewType("UserId", int)
"""Our own account number."""

StoreId = NewType("StoreId", str)
"""Evotor store: opaque text, case kept (Evotor FACTS 6)."""

GroupId = NewType("GroupId", str)
"""Evotor product group: opaque text; `ROOT` for products that are in no group."""

ProductId = NewType("ProductId", str)
"""Evotor product: opaque text, normally a UUID, sometimes a plain number (Evotor FACTS 1.6)."""

CommunityId = NewType("CommunityId", int)
"""VK community, always positive here; the VK client alone writes the minus of `owner_id`."""

AlbumId = NewType("AlbumId", int)
ItemId = NewType("ItemId", int)
PhotoId = NewType("PhotoId", int)

RunId = NewType("RunId", int)

LONGEST = 100
"""Characters of an id as a cloud gives it; both clouds' own are far shorter."""

ROOT = GroupId("")
"""The group of products at the root, or whose group no longer exists."""
