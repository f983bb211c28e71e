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
from evosync.web.webhooks.routes import Webhooks
from tests.web.browser import World

SECRET = "the-secret-of-the-app"


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


@pytest.mark.parametrize("credential", ["secret", "token"])
@pytest.mark.timeout(300)
async def test_what_is_answered_is_what_the_document_says(
    site: TestServer, services: Services, world: World, tmp_path: Path, credential: str
) -> None:
    person = await world.person()
    token = await _token(services.database, services, person.id)
    shown = SECRET if credential == "secret" else token
    part = (
        "^/(user|installation|subscription|health|openapi)"
        if credential == "secret"
        else "^/(inventories|receipts|commodities)"
    )
    program = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run", str(site.make_url("/openapi.json")),
        "--include-path-regex", part, "--header", f"Authorization: Bearer {shown}",
        "--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples",
        os.environ.get("EVOSYNC_TEST_EXAMPLES", "10"), "--seed", "1", "--no-color",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await program.communicate()
    assert program.returncode == 0, said.decode(errors="replace")[-8000:]
