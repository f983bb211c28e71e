"""`demo`: the whole product on one machine, with an imitation of the two clouds."""

import argparse
import asyncio
import logging
import shutil
import signal
from pathlib import Path

from pydantic import SecretStr

from evosync.app import Core, Parts, open_core, want
from evosync.cli.doors import Doors, taken
from evosync.cli.errors import UserError
from evosync.cli.serve import running
from evosync.cli.sync import exit_code, run_once
from evosync.cli.terminal import Bar, summary
from evosync.db import accounts, choices, connections
from evosync.domain.connection import Token
from evosync.domain.errors import CloudError
from evosync.domain.ids import CommunityId, RunId, UserId
from evosync.domain.mirror import Progress, Reason, RunRecord, Scope, Tally
from evosync.sandbox.cli import read_catalog
from evosync.sandbox.seed import Demo, seed_demo
from evosync.sandbox.server import Running
from evosync.sandbox.server import serve as serve_sandbox
from evosync.sandbox.state import Sandbox
from evosync.security.passwords import Passwords
from evosync.settings import Settings
from evosync.vk.connect import Step as Checking
from evosync.vk.connect import check_connection

EMAIL = "demo@example.com"
PASSWORD = "demo-demo"  # noqa: S105 - of an account that exists in the demo alone
_ADMIN = "admin@example.com"
_LAST_PORT = 65_535


class _FirstRun:
    """Shows how the demo's first whole run goes, and has its record at the end."""

    def __init__(self) -> None:
        self._bar = Bar()
        self.record: RunRecord | None = None
        self.over = asyncio.Event()

    def saw(self, user: UserId, run: RunId, progress: Progress, tally: Tally) -> None:
        if not self.over.is_set():
            self._bar.saw(user, run, progress, tally)

    def ended(self, record: RunRecord) -> None:
        if not self.over.is_set():
            self._bar.ended(record)
            self.record = record
            self.over.set()


async def demo(settings: Settings, options: argparse.Namespace) -> int:
    """A fresh shop each time: what an earlier demo left is removed first, unless it still runs."""
    catalog = _catalog(options.catalog)
    if options.port == _LAST_PORT:
        raise UserError("the sandbox takes the next port, and there is none after 65535: choose another with --port")
    with taken("127.0.0.1", options.port, metrics_port=settings.metrics_port) as doors:
        try:
            return await _shown(settings, options, catalog, doors)
        except OSError as error:
            raise UserError(f"cannot listen: {error.strerror}; choose other ports with --port") from None


async def _shown(
    settings: Settings, options: argparse.Namespace, catalog: dict[str, object] | None, doors: Doors
) -> int:
    folder = settings.data_dir / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    sandbox = Sandbox()
    seeded = seed_demo(sandbox, catalog, options.first)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    logging.getLogger().setLevel(logging.WARNING)
    sandbox_port = options.port + 1 if options.port else 0
    async with serve_sandbox(sandbox, port=sandbox_port) as clouds:
        print(f"Sandbox of the two clouds     {clouds.url}")
        local = settings.model_copy(update=_local(settings, clouds, folder, options.port))
        async with open_core(local) as core:
            user = await _owner(core, seeded)
            async with running(core, Parts.ALL, doors) as address:
                print(f"EvoSync                       {address}   {EMAIL} / {PASSWORD}   (admin: {_ADMIN})")
                code = await _first_run(core, user, stopping)
                if not options.once and not stopping.is_set():
                    _say_where(clouds, seeded, address)
                    await stopping.wait()
                    print("\nStopping.")
                return code


def _catalog(path: Path | None) -> dict[str, object] | None:
    if path is None:
        return None
    try:
        return dict(read_catalog(path))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a catalog: {error}") from None


def _local(settings: Settings, clouds: Running, folder: Path, port: int) -> dict[str, object]:
    """The demo never touches the operator's own database, queue or clouds."""
    return {
        "data_dir": folder,
        "database_url": SecretStr(f"sqlite+aiosqlite:///{folder / 'evosync.sqlite3'}"),
        "redis_url": None,
        "evotor_api_url": clouds.evotor_url,
        "vk_api_url": clouds.vk_url,
        "base_url": f"http://localhost:{port}",
        "vk_settle_seconds": min(settings.vk_settle_seconds, 5),
        "catalog_refresh_interval_seconds": 30,
        "catalog_delta_interval_seconds": 10,
        "catalog_delta_overlap_seconds": 60,
    }


async def _owner(core: Core, seeded: Demo) -> UserId:
    """A demo owner with both sides connected, everything switched on; and an admin to look at the queue."""
    async with Passwords(rounds=10) as passwords:
        hashed = await passwords.hash(PASSWORD)
    active = accounts.UserStatus.ACTIVE
    user = await core.database.write(
        lambda connection: accounts.create_user(
            connection, email=EMAIL, role="user", password_hash=hashed, status=active, name="Демо", at=core.clock()
        )
    )
    await core.database.write(
        lambda connection: accounts.create_user(
            connection, email=_ADMIN, role="system", password_hash=hashed, status=active, name="Admin", at=core.clock()
        )
    )
    token = Token(seeded.evotor_token, core.sealer.fingerprint(seeded.evotor_token))
    try:
        account = await core.clients.till_for(token).verify()
    except CloudError as error:
        raise UserError(f"the sandbox does not answer: {error}") from None
    await core.database.write(
        lambda connection: connections.save_evotor(
            connection,
            user,
            seeded.evotor_token,
            till_user=account.till_user or None,
            sealer=core.sealer,
            at=core.clock(),
        )
    )
    community = CommunityId(seeded.group_id)
    vk_token = Token(seeded.vk_token, core.sealer.fingerprint(seeded.vk_token))
    checked = await check_connection(core.clients.vk, vk_token, community)
    name = next((step.values.get("name", "") for step in checked if step.step is Checking.COMMUNITY), "")
    await core.database.write(
        lambda connection: connections.save_vk(
            connection,
            user,
            seeded.vk_token,
            community=community,
            name=name,
            vk_user_id=None,
            expires_at=None,
            sealer=core.sealer,
            at=core.clock(),
        )
    )
    return user


async def _first_run(core: Core, user: UserId, stopping: asyncio.Event) -> int:
    """Read, switch everything on, start; then watch the service do the first run."""
    await run_once(core, user, reason=Reason.CONNECTED, dry=True)
    await core.database.write(lambda connection: choices.set_choice(connection, user, on=True))
    await core.database.write(lambda connection: choices.start_mirror(connection, user, at=core.clock()))
    first = _FirstRun()
    with core.watchers.joined(first):
        await want(core, user, scope=Scope.FULL, reason=Reason.START)
        await _either(first.over, stopping)
    if first.record is None:
        return 1
    print(summary(first.record))
    return exit_code(first.record)


async def _either(*events: asyncio.Event) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _say_where(clouds: Running, seeded: Demo, address: str) -> None:
    print(f"""
The VK shop, as buyers see it   {clouds.url}{seeded.shop_path}
The till: change a price there  {clouds.url}{seeded.till_path}
EvoSync                         {address}

A change at the till is in the VK shop within about ten seconds, a deletion within half a minute.
Ctrl+C stops everything.""")
