"""Debian's Chromium under Playwright, quiet and without a network of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests import services

_QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """For the length of one test: Playwright's loop would stand in the way of a coroutine test's.

    Skips visibly where there is none.
    """
    binary = services.find("chromium", "chromium-browser")
    if binary is None:
        services.unavailable("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(_QUIET))
        yield browser
        browser.close()
