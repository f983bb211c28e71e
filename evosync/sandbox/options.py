"""What can be set on the imitated clouds: limits, habits that nobody has proved, and how slow they are."""

import random
from dataclasses import dataclass, field
from typing import Literal

MILLION_BYTES = 1_000_000


@dataclass(slots=True, kw_only=True)
class VkOptions:
    """Limits and habits of VK. The defaults are the strictest reading of the facts."""

    requests_per_second: int = 3
    max_items: int = 15_000
    max_albums: int = 100
    max_album_items: int = 1_000
    max_calls: int = 25
    max_response_bytes: int = 5 * MILLION_BYTES
    item_bytes: int = 5_000
    """About how long one item of an extended listing is; photos in many sizes make up the rest."""
    photo_required: bool = True
    stock_zero_is_unavailable: bool = True
    edit_clears_hidden: bool = True
    """An edit without ``deleted`` puts a hidden item back on show (VK FACTS 2)."""
    refuse_empty_edit: bool = True
    texts: Literal["raw", "mild", "entities"] = "mild"
    """What reading does to texts: nothing, spaces trimmed and folded, or that and HTML entities."""
    upload_seconds: float = 600.0
    upload_response_once: bool = True
    bulk_order: Literal["sent", "shuffled"] = "shuffled"
    removed_by_id: Literal["availability", "absent", "zero"] = "availability"
    malformed_ids: Literal["refuse", "skip"] = "refuse"
    """What ``market.getById`` does with an id such as ``-77_`` among good ones; nobody knows."""
    count_drift: int = 0
    """By how much ``count`` of ``market.get`` differs from what can be paged (VK FACTS 6)."""
    album_list: Literal["before", "nothing"] = "before"
    """How much of an ``addToAlbum`` list is done when one item of it is refused: those before it, or none."""
    captcha_after_adds: int | None = None
    """So many adds per token succeed, then each answers 14."""
    price_read_percent: int = 100
    """10000 makes every price read back 100 times too high, 1 makes it 100 times too low."""
    listing_lag: float = 0.0
    """Seconds for which a new item is missing from ``market.get``."""
    restore_seconds: float = 30 * 86_400.0
    odd_rows: bool = False
    """Lists of items also hold a ``false``, as was seen in the wild (VK FACTS 6)."""


@dataclass(slots=True, kw_only=True)
class EvotorOptions:
    """Limits of the Evotor cloud."""

    page_size: int = 1_000
    rate_limit: int | None = 600
    """Requests per token and path in one window; None counts nothing."""
    rate_window: float = 60.0


@dataclass(slots=True, kw_only=True)
class Latency:
    """Seconds that each kind of work takes; ``jitter`` is a share of it that comes on top at random."""

    vk_request: float = 0.0
    vk_inner: float = 0.0
    upload: float = 0.0
    evotor: float = 0.0
    jitter: float = 0.0
    arrival_jitter: float = 0.0
    """At most so many seconds pass on the way to VK's counter: the network's part in the timing."""
    dice: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - timing of an imitation

    def of(self, seconds: float) -> float:
        """``seconds`` with the jitter on top."""
        return seconds * (1 + self.jitter * self.dice.random()) if self.jitter else seconds

    def on_the_way(self) -> float:
        """Seconds between the client's sending and VK's counting."""
        return self.arrival_jitter * self.dice.random()
