"""The icons: own shapes on a grid of 24 units, drawn with the stroke of the text around them."""

from collections.abc import Mapping
from typing import Final

ICONS: Final[Mapping[str, str]] = {
    "back": "M19 12H5M11 6l-6 6 6 6",
    "bang": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7.5v5.5M12 16.5v.01",
    "check": "M5 12.5l4.5 4.5L19 7.5",
    "clock": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.5 2",
    "dash": "M6 12h12",
    "desk": "M3 5h18v11H3zM9 20h6M12 16v4",
    "down": "M12 4v12M6 11l6 6 6-6M4 20h16",
    "ext": "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
    "home": "M3 12h18M5.5 12V7.5M10 12V4M14.5 12V8M19 12V5.5M5.5 12v4.5M10 12v8M14.5 12v4M19 12v6.5",
    "key": "M8 15a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 11h9M18 11v4",
    "left": "M15 5l-7 7 7 7",
    "mail": "M3.5 6h17v12h-17zM4 7l8 6 8-6",
    "more": "M5 12h.01M12 12h.01M19 12h.01",
    "out": "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
    "pause": "M9 6v12M15 6v12",
    "phone": "M8 3h8v18H8zM11 18h2",
    "photo": "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
    "play": "M8 5l11 7-11 7z",
    "plug": "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4",
    "receipt": "M6 3v18l2-1.5 2 1.5 2-1.5 2 1.5 2-1.5 2 1.5V3zM9.5 8h5M9.5 12h5",
    "right": "M9 5l7 7-7 7",
    "search": "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5",
    "set": "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
    "shop": "M4.5 11v9h15v-9M3 9l2-5h14l2 5a3 3 0 0 1-6 0 3 3 0 0 1-6 0 3 3 0 0 1-6 0zM10 20v-5h4v5",
    "sync": "M20 10.5A8 8 0 0 0 6 6.5L3.5 9M3.5 4v5h5M4 13.5a8 8 0 0 0 14 4l2.5-2.5M20.5 20v-5h-5",
    "till": "M5 11h14l1.5 9h-17zM8 11V4h8v7M9 15h.01M12 15h.01M15 15h.01M10 7.5h4",
    "user": "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c.8-4 4-6 8-6s7.2 2 8 6",
}
