"""Our API against its own document, by schemathesis: what it says is what is answered."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from jinja2 import FileSystemBytecodeCache

from evosync.db import till_accounts
from evosync.db.engine import Database
from evosync.domain.ids import UserId
from evosync.web import apidocs
from evosync.web.app import make_site
from evosync.web.services import Services
from evosync.web.webhooks.paths import PREFIXES
from evosync.web.webhooks.routes import Webhooks
from tests.web.browser import World

SECRET = "the-secret-of-the-app"
SIGNING = f"""
import hashlib, hmac
import schemathesis


class Signed:
    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        made = hmac.new(b"{SECRET}", body, hashlib.sha1).hexdigest()
        request.headers["X-Hub-Signature"] = "sha1=" + made
        return request


@schemathesis.hook
def before_call(context, case, kwargs):
    kwargs["auth"] = Signed()
"""
"""What schemathesis loads so that the newer events carry the signature that the cloud gives them."""


@pytest.fixture
async def site(services: Services, compiled_templates: FileSystemBytecodeCache) -> AsyncIterator[TestServer]:
    hooks = Webhooks(services, [SECRET])
    app = make_site(services, routes=[*hooks.routes, *apidocs.routes], template_cache=compiled_templates)
    app.cleanup_ctx.append(hooks.while_running)
    server = TestServer(app)
    async with server:
        yield server


async def _token(database: Database, services: Services, user: UserId) -> str:
    async with database.writing() as connection:
        await till_accounts.tie(connection, user, "01-000000000000042")
        return await till_accounts.user_token(connection, user, sealer=services.sealer)


BY_SECRET = "^/(user|installation|subscription|health|openapi)"
BY_TOKEN = "^/(inventories|receipts|commodities)"
ROOT = "^/$"
BY_SIGNATURE = "^/hooks"
WITHOUT_HEALTH = "^/(user|installation|subscription)"
ALL = "examples,coverage,fuzzing"
EXAMPLES = os.environ.get("EVOSYNC_TEST_EXAMPLES", "10")


@pytest.mark.parametrize(
    ("paths", "credential", "prefix", "phases"),
    [
        (BY_SECRET, "secret", "", ALL),
        (BY_TOKEN, "token", "", ALL),
        (ROOT, "token", "", ALL),
        (BY_SIGNATURE, "signature", "", ALL),
        # The same handlers again: that they are found below the prefixes and answer alike there.
        *(
            (paths, credential, prefix, "fuzzing")
            for prefix in PREFIXES
            for paths, credential in ((WITHOUT_HEALTH, "secret"), (BY_TOKEN, "token"), (BY_SIGNATURE, "signature"))
            if prefix
        ),
    ],
)
@pytest.mark.timeout(300)
async def test_what_is_answered_is_what_the_document_says(
    site: TestServer, services: Services, world: World, tmp_path: Path,
    paths: str, credential: str, prefix: str, phases: str,
) -> None:  # fmt: skip
    person = await world.person()
    token = await _token(services.database, services, person.id)
    hooks = tmp_path / "signing.py"
    hooks.write_text(SIGNING if credential == "signature" else "")
    shown = {"secret": SECRET, "token": token, "signature": "none"}[credential]
    program = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run", str(site.make_url("/openapi.json")), "--url", str(site.make_url(prefix or "/")),
        "--include-path-regex", paths, "--header", f"Authorization: Bearer {shown}",
        "--checks", "all", "--phases", phases, "--max-examples", "2" if prefix else EXAMPLES,
        # The home page answers GET there, and is no part of the document.
        *(["--exclude-checks", "allow_header_conformance,unsupported_method"] if paths == ROOT else []),
        "--seed", "1", "--no-color",
        cwd=tmp_path, env={**os.environ, "SCHEMATHESIS_HOOKS": "signing", "PYTHONPATH": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await program.communicate()
    text = said.decode(errors="replace")
    assert program.returncode == 0, text[-8000:]
    assert "No test cases were generated" not in text
