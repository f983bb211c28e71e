"""What a browser notices about a page: what was said on the console, what went over the wire, what moved."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.browser.walk import SMALL, Go

MOST_BYTES = 60_000
"""Over the wire for a page with its assets, pictures aside."""
LEAST_SHIFT = 0.01

_WATCH_SHIFTS = """
window.shifted = 0
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value
}).observe({ type: 'layout-shift', buffered: true })
"""
_SETTLED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
_WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(slots=True)
class Seen:
    """Of one page; begins anew with each document."""

    bytes: int = 0
    hosts: set[str] = field(default_factory=set)
    picture_hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


class Looker:
    """A tab that is watched; its cache is off, so that each page comes whole."""

    def __init__(self, context: BrowserContext, page: Page | None = None) -> None:
        self.page = page if page is not None else context.new_page()
        self.seen = Seen()
        self._pictures: set[str] = set()
        self.page.add_init_script(_WATCH_SHIFTS)
        self.page.on("console", lambda message: self._complain(message.type, message.text))
        self.page.on("pageerror", lambda error: self._complain("error", str(error)))
        wire = context.new_cdp_session(self.page)
        wire.on("Network.requestWillBeSent", self._asked)
        wire.on("Network.loadingFinished", self._came)
        wire.send("Network.enable")
        wire.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def open(self, path: str, go: Go) -> int:
        """The status of the page, once nothing on it waits any more."""
        self.seen = Seen()
        reply = go(self.page, path)
        self.page.wait_for_function("() => !document.querySelector('meta[http-equiv=refresh], [data-live]')")
        self.page.wait_for_load_state()  # a page that watched a run is read anew at its end
        self.page.evaluate(_SETTLED)
        return reply.status if reply is not None else 0

    def faults(self, own: str, pictures: str) -> Iterator[str]:
        """What is wrong with the page that is open; its host is `own`, foreign pictures are at `pictures`."""
        yield from self.seen.complaints
        if strangers := (self.seen.hosts - {own}) | (self.seen.picture_hosts - {own, pictures}):
            yield f"asks {', '.join(sorted(strangers))}"
        if self.seen.bytes > MOST_BYTES:
            yield f"{self.seen.bytes} bytes"
        if self.seen.bytes == 0:
            yield "nothing came over the wire: the count is broken"
        if (shifted := float(self.page.evaluate("window.shifted"))) >= LEAST_SHIFT:
            yield f"moves by {shifted:.3f}"
        if wider := int(self.page.evaluate(_WIDER)):
            yield f"{wider} px too wide"

    def _complain(self, kind: str, text: str) -> None:
        # A page that is an error is itself a failed load.
        if kind in {"error", "warning"} and "the server responded with a status of" not in text:
            self.seen.complaints.append(text)

    def _asked(self, event: dict[str, Any]) -> None:
        address = urlsplit(event["request"]["url"])
        if event["type"] == "Document":
            self.seen.bytes = 0
        if event["type"] == "Image":
            self._pictures.add(event["requestId"])
        if address.scheme in {"http", "https"}:
            (self.seen.picture_hosts if event["type"] == "Image" else self.seen.hosts).add(address.netloc)

    def _came(self, event: dict[str, Any]) -> None:
        if event["requestId"] not in self._pictures:
            self.seen.bytes += int(event["encodedDataLength"])


@contextmanager
def reader(
    browser: Browser, url: str, *, dark: bool = False, size: ViewportSize = SMALL, language: str = "ru"
) -> Iterator[BrowserContext]:
    """Cookies of their own, no motion, and a zone."""
    with browser.new_context(
        base_url=url,
        viewport=size,
        color_scheme="dark" if dark else "light",
        locale={"ru": "ru-RU", "en": "en-GB"}[language],
        timezone_id="Europe/Moscow",
        reduced_motion="reduce",
    ) as context:
        yield context
