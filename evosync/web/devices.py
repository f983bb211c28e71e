"""A device as its owner would call it, from what the browser says of itself."""

from typing import Final

_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
# The special ones first: nearly all of them also call themselves Chrome, and Chrome calls itself Safari.
_BROWSERS: Final = (
    ("YaBrowser", "Яндекс Браузер"),
    ("OPR/", "Opera"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edg/", "Edge"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)


def device_of(agent: str) -> str:
    """System and browser, what there is of them; empty for an agent that tells neither."""
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    return ", ".join(part for part in (system, browser) if part)


def is_phone(agent: str) -> bool:
    return any(mark in agent for mark in ("iPhone", "Android", "Mobile"))
