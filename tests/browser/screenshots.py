"""`make screenshots`: all pages, small and large, dark and light, in both languages, into build/screenshots."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.chromium import chromium
from tests.browser.demo import ADMIN, OWNER, Demo, demo
from tests.browser.looking import Looker, reader
from tests.browser.states import broken, states
from tests.browser.walk import LARGE, NEWCOMER, SMALL, Who, prepare, sign_in, speak, visits

SIGNED_IN: dict[Who, str] = {"newcomer": NEWCOMER, "owner": OWNER, "admin": ADMIN}


def main(words: Sequence[str]) -> int:
    """The number of pictures; what is wrong with a page is said beside it."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("build/screenshots"), help="folder (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="WORD", help="only pages whose name holds it")
    options = parser.parse_args(words)
    made = 0
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, demo(Path(folder)) as shop:
        prepare(shop, browser)
        for language in ("ru", "en"):
            speak(shop, language)
            made += _taken(browser, shop, language, options.into, options.only)
    print(f"{made} pictures in {options.into}")  # noqa: T201 - a command
    return 0


def _taken(browser: Browser, shop: Demo, language: str, into: Path, only: str) -> int:
    made = 0
    with ExitStack() as stack:
        lookers = {}
        for who in ("nobody", *SIGNED_IN):
            context = stack.enter_context(reader(browser, shop.url, language=language))
            lookers[who] = Looker(context, sign_in(context, SIGNED_IN[who]) if who in SIGNED_IN else None)
        for visit in chain(visits(shop), states(shop), broken(shop)):
            if only not in visit.name:
                continue
            looker = lookers[visit.who]
            looker.open(visit.path, visit.go)
            for size in (SMALL, LARGE):
                looker.page.set_viewport_size(size)
                for fault in looker.faults(f"localhost:{shop.port}", f"127.0.0.1:{shop.port + 1}"):
                    print(f"{visit.name}, {language}, {size['width']} px: {fault}")  # noqa: T201 - a command prints
                for theme in ("dark", "light"):
                    looker.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
                    path = into / language / f"{visit.name}-{size['width']}-{theme}.png"
                    looker.page.screenshot(path=path, full_page=True, animations="disabled")
                    made += 1
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
