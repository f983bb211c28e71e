"""Time zones as people choose them: by a city and how far it is from UTC."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from babel.dates import get_timezone_location

from evosync.words.format import utc_offset, zone_of

ZONES: Final = (
    "Europe/Kaliningrad",
    "Europe/Moscow",
    "Europe/Samara",
    "Asia/Yekaterinburg",
    "Asia/Omsk",
    "Asia/Novosibirsk",
    "Asia/Krasnoyarsk",
    "Asia/Irkutsk",
    "Asia/Yakutsk",
    "Asia/Vladivostok",
    "Asia/Magadan",
    "Asia/Kamchatka",
    "Europe/Minsk",
    "Asia/Almaty",
    "Asia/Tashkent",
    "Asia/Tbilisi",
    "Asia/Yerevan",
    "Asia/Baku",
    "Europe/Istanbul",
    "Europe/Berlin",
    "Europe/London",
    "UTC",
)


def zone_choices(language: str, *, at: datetime, present: str) -> list[tuple[str, str]]:
    """Pairs for a select, from west to east; the zone that somebody has is always among them."""
    names = ZONES if present in ZONES else (*ZONES, present)
    label = partial(zone_label, language=language, at=at)
    return [(name, label(name)) for name in sorted(names, key=lambda name: (_offset(name, at), name))]


def zone_label(name: str, *, language: str, at: datetime) -> str:
    if name == "UTC":
        return name
    city = get_timezone_location(zone_of(name), locale=language, return_city=True)
    return f"{city}, {utc_offset(zone_of(name), at)}"


def _offset(name: str, at: datetime) -> timedelta:
    return at.astimezone(zone_of(name)).utcoffset() or timedelta()
