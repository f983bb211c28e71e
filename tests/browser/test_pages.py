"""Every page of the demo in a real browser: nobody is kept out, nothing complains or moves or comes from elsewhere."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ViewportSize

from tests.browser.chromium import chromium
from tests.browser.demo import ADMIN, OWNER, Demo, demo
from tests.browser.looking import Looker, reader
from tests.browser.states import broken, states
from tests.browser.walk import LARGE, NEWCOMER, SMALL, Visit, Who, prepare, sign_in, speak, visits

AXE: Final = Axe().axe_script
VIOLATIONS: Final = "() => axe.run({ resultTypes: ['violations'] }).then((found) => found.violations)"
"""Its whole answer is long, and would take longer to come over than to be found."""
SIGNED_IN: dict[Who, str] = {"newcomer": NEWCOMER, "owner": OWNER, "admin": ADMIN}


def faults(looker: Looker, visit: Visit, shop: Demo) -> Iterator[str]:
    status = looker.open(visit.path, visit.go)
    if status != visit.status:
        yield f"answers {status}"
    yield from looker.faults(f"localhost:{shop.port}", f"127.0.0.1:{shop.port + 1}")
    looker.page.evaluate(AXE)
    for violation in looker.page.evaluate(VIOLATIONS):
        places = "; ".join(str(node["html"])[:160] for node in violation["nodes"][:3])
        yield f"{violation['id']}: {violation['help']} ({places})"


def walk(browser: Browser, shop: Demo, *, dark: bool, size: ViewportSize, language: str) -> Iterator[str]:
    speak(shop, language)
    with ExitStack() as stack:
        lookers = {}
        for who in ("nobody", *SIGNED_IN):
            context = stack.enter_context(reader(browser, shop.url, dark=dark, size=size, language=language))
            lookers[who] = Looker(context, sign_in(context, SIGNED_IN[who]) if who in SIGNED_IN else None)
        for visit in chain(visits(shop), states(shop), broken(shop)):
            for fault in faults(lookers[visit.who], visit, shop):
                yield f"{visit.name}, {size['width']} px: {fault}"


@pytest.mark.timeout(900)
def test_every_page_is_open_to_everybody_light_still_and_keeps_to_its_own_host(tmp_path: Path) -> None:
    with chromium() as browser, demo(tmp_path) as shop:
        prepare(shop, browser)
        found = [*walk(browser, shop, dark=True, size=SMALL, language="ru")]
        found += walk(browser, shop, dark=False, size=LARGE, language="en")
    assert not found, "\n".join(found)
