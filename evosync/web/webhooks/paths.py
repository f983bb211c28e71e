"""Where the cloud finds us: the tails are documented, what is before them the publisher chooses (Evotor FACTS 4.1)."""

from collections.abc import Iterator
from typing import Final

PREFIXES: Final = ("", "/api/v1", "/api/v2")
"""Newer portals write none; older ones carry these."""

HOOKS: Final = (
    ("POST", "/user/create"),
    ("POST", "/user/verify"),
    ("POST", "/user/token"),
    ("POST", "/user/tariff"),
    ("POST", "/installation/event"),
    ("POST", "/subscription/event"),
    ("PUT", "/inventories/stores"),
    ("PUT", "/inventories/devices"),
    ("PUT", "/inventories/employees"),
    ("POST", "/inventories/stores/{store}/products"),
    ("PUT", "/inventories/stores/{store}/documents"),
    ("PUT", "/"),
    ("POST", "/receipts"),
    ("GET", "/commodities"),
    ("POST", "/hooks/evotor"),
)
"""Method and tail of every webhook."""


def every_path() -> Iterator[tuple[str, str, str]]:
    """Method, tail, and the whole path."""
    for prefix in PREFIXES:
        for method, tail in HOOKS:
            yield method, tail, f"{prefix}{tail}"
