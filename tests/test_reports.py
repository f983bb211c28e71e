"""Crash reports as Sentry's own client sends them, received by a server of ours."""

import asyncio
import gzip
import sys
from pathlib import Path

from aiohttp import web

SCRIPT = """
import logging, sys
import sentry_sdk
from pathlib import Path
from evosync import logs
from evosync.reports import start_reports
from evosync.settings import load_settings

settings = load_settings({"SENTRY_DSN": sys.argv[1], "HOME": sys.argv[2], "SECRET_KEY": "the operator's own key"})
logs.configure(form="json", hide=settings.hidden)
assert start_reports(settings)
olga = "olga@example.org"
try:
    int("bad token=vk1.a.abcdefghijklmnop, the operator's own key")
except ValueError:
    with logs.bound(request_id="0011", user_id=7):
        logging.getLogger("evosync.web").exception("a page broke", extra={"access_token": "plain", "route": "/sync"})
logging.getLogger("evosync").info("nothing to report")
sentry_sdk.flush(10)
"""


async def test_a_crash_reaches_the_operator_s_project_without_secrets_and_people(tmp_path: Path) -> None:
    taken: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        taken.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        return web.json_response({})

    app = web.Application(client_max_size=10**7)
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    dsn = f"http://key@127.0.0.1:{runner.addresses[0][1]}/1"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, dsn, str(tmp_path), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    await runner.cleanup()
    assert process.returncode == 0, said.decode()
    sent = b"\n".join(taken).decode()
    assert "a page broke" in sent
    assert "ValueError" in sent
    assert "nothing to report" not in sent
    for secret in ("vk1.a.abcdefghijklmnop", "operator's own key", "olga@example.org", "plain"):
        assert secret not in sent, secret
