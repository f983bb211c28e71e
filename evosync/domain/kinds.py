"""Goods that a marketplace may refuse, known by the till's product type (Evotor FACTS 1.6)."""

from functools import lru_cache

RISKY: dict[str, tuple[str, ...]] = {
    "alcohol": ("ALCOHOL",),
    "beer": ("BEER",),
    "tobacco": ("TOBACCO", "NICOTINE"),
    "medicine": ("MEDICINE",),
    "lottery": ("LOTTERY",),
}
"""Kind → how its types begin. By beginning, because the list of types grows."""


@lru_cache(maxsize=256)
def risky_kind(product_type: str) -> str | None:
    """The kind that an owner may allow or not; None for ordinary goods, and for types not heard of."""
    for kind, beginnings in RISKY.items():
        if product_type.startswith(beginnings):
            return kind
    return None
