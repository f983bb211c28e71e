"""`make lighthouse`: what Lighthouse (mobile) thinks of the public pages; fails where a score is under 95."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import services
from tests.browser.demo import demo

PAGES = ("/login", "/register", "/forgot-password", "/resend-confirm", "/privacy", "/terms", "/promises")
LEAST = 95
_CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
_VERSION = "lighthouse@13"


def main(words: Sequence[str]) -> int:
    """One line a page; what is wrong with a poor one is named under it."""
    parser = argparse.ArgumentParser(prog="make lighthouse", description=__doc__)
    parser.add_argument("pages", nargs="*", default=list(PAGES), help="addresses (default: all public pages)")
    options = parser.parse_args(words)
    binary, runner = services.find("chromium", "chromium-browser"), services.find("npx")
    if binary is None or runner is None:
        print("Lighthouse needs Chromium and npx", file=sys.stderr)  # noqa: T201 - a command
        return 2
    poor = 0
    with tempfile.TemporaryDirectory() as folder, demo(Path(folder)) as shop:
        print(f"{'':20}" + "".join(f"{name:>16}" for name in _CATEGORIES))  # noqa: T201 - a command prints
        for page in options.pages:
            report = _report([runner, "--yes", _VERSION, shop.url + page], binary)
            scores = {name: round(100 * float(report["categories"][name]["score"] or 0)) for name in _CATEGORIES}
            poor += min(scores.values()) < LEAST
            print(f"{page:20}" + "".join(f"{score:>16}" for score in scores.values()))  # noqa: T201 - a command prints
            if min(scores.values()) < LEAST:
                for audit in report["audits"].values():
                    if audit["score"] == 0:
                        print(f"    {audit['id']}: {audit.get('displayValue') or audit['title']}")  # noqa: T201 - a command prints
    return 1 if poor else 0


def _report(command: list[str], binary: str) -> dict[str, Any]:
    flags = "--headless=new --no-sandbox --disable-gpu --disable-quic"
    options = ["--quiet", "--output=json", f"--chrome-flags={flags}", f"--only-categories={','.join(_CATEGORIES)}"]
    done = subprocess.run(
        [*command, *options], env={**os.environ, "CHROME_PATH": binary}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    report: dict[str, Any] = json.loads(done.stdout)
    return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
