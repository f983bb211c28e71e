"""What is backed up can be restored, whole, into an empty instance."""

import asyncio
import contextlib
import gzip
import os
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from evosync.accounts.links import Links
from evosync.db import accounts, connections, deliveries, migrate, outbox, till_accounts, trail
from evosync.db.deliveries import Delivery, Kind
from evosync.db.engine import Database, make_engine
from evosync.db.ledger import DbLedger
from evosync.db.single_use import Purpose
from evosync.db.tables.schema import metadata
from evosync.domain.ids import CommunityId, UserId
from evosync.sandbox.state import Sandbox
from evosync.security.seal import Sealer
from evosync.settings import load_settings
from tests import services
from tests.db.conftest import NOW
from tests.services import MariaDB
from tests.sync.world import open_world

DEPLOY = Path(__file__).parents[2] / "deploy"
KEY = 'the key of the service that is $backed up # and "quoted"'


def script(name: str, *arguments: object, database: str, **more: str) -> "subprocess.CompletedProcess[str]":
    url = make_url(database)
    client = services.find("mariadb-dump")
    if client is None:
        services.unavailable("no mariadb-dump on this machine")
    environ = {
        "PATH": os.environ["PATH"], "ENV_FILE": "/dev/null", "DATABASE_HOST": str(url.host),
        "DATABASE_PORT": str(url.port), "DATABASE_USER": str(url.username), "DATABASE_PASSWORD": url.password or "",
        "DATABASE_NAME": str(url.database), **more,
    }  # fmt: skip
    command = [str(DEPLOY / name), *map(str, arguments)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


async def everything(url: str) -> dict[str, list[tuple[object, ...]]]:
    database = Database(make_engine(url))
    found: dict[str, list[tuple[object, ...]]] = {}
    async with database.reading() as connection:
        for table in metadata.sorted_tables:
            rows = (await connection.execute(select(table))).all()
            found[table.name] = sorted((tuple(row) for row in rows), key=repr)
    await database.close()
    return found


async def token_in(url: str, key: str) -> str:
    """The one VK token that the database holds, opened with this key."""
    ledger = DbLedger(database := Database(make_engine(url)), sealer=Sealer([key]), clock=lambda: NOW)
    mirror = await ledger.mirror(UserId(1))
    await database.close()
    assert mirror is not None
    assert mirror.vk is not None
    return mirror.vk.token.secret


async def fill(url: str) -> None:
    await migrate.upgrade(url)
    database = Database(make_engine(url))
    async with database.writing() as connection:
        owner = await accounts.create_user(
            connection, email="ёж@example.org", role="user", status=accounts.UserStatus.ACTIVE, at=NOW
        )
        await connections.save_vk(
            connection, owner, "vk token", community=CommunityId(7), name="Лавка «Ёж» 🦔", vk_user_id=1,
            expires_at=None, sealer=Sealer([KEY]), at=NOW,
        )  # fmt: skip
    await database.close()


async def fill_every_table(url: str) -> None:
    """An owner beside the one of `fill` whose shop was mirrored and changed, and what the site and the hooks keep."""
    await fill(url)
    async with open_world(Sandbox(), url) as world:
        owner = await world.owner(6, started=False)
        cake, gone, *_ = owner.store.products.values()
        owner.change(cake, name="Торт «Ёж» 🦔 \\ 'и' \"ещё\"; --", description="Строка\nвторая\tтретья \\0 🍰")
        await owner.start()
        assert (await owner.run()).outcome == "ok"
        world.clock.forward(minutes=10)
        owner.store.remove_product(gone.id)
        owner.stock(1)
        await owner.run()
        async with world.database.writing() as connection:
            links = Links([b"key"], base_url="https://shop.example.ru", invite_hours=48)
            link = await links.add(connection, owner.user, Purpose.RESET, at=NOW)
            for number in (link, None):
                await outbox.add_letter(
                    connection, user=owner.user, channel="email", kind="welcome", address="ёж@example.org",
                    language="ru", values={"name": "Ёж 🦔", "nothing": None}, link_id=number, at=NOW,
                )  # fmt: skip
            for actor in (owner.user, None):
                await trail.record(connection, "test", actor=actor, user=None, at=NOW, note="🦔", nothing=None)
            await till_accounts.keep_token(connection, "01-nobody", "waits", sealer=world.sealer, at=NOW)
            await deliveries.add(connection, Delivery(Kind.PRODUCTS, NOW, user=owner.user, facts={"store": "🦔"}))
            await deliveries.add(connection, Delivery(Kind.EVENT, NOW, key="k", code=1, done_at=NOW))


async def test_a_backup_restored_into_an_empty_instance_is_the_same(
    mariadb: MariaDB, private_mariadb: MariaDB, tmp_path: Path
) -> None:
    with mariadb.database() as source, private_mariadb.database() as target:
        assert make_url(source).port != make_url(target).port, "another server, which knows of nothing"
        await fill_every_table(source)
        made = await asyncio.to_thread(script, "backup.sh", tmp_path, database=source, SECRET_KEY=KEY)
        assert made.returncode == 0, made.stderr
        backup = Path(made.stdout.strip())
        done = await asyncio.to_thread(script, "restore.sh", backup, database=target)
        assert done.returncode == 0, done.stderr
        before, after = await everything(source), await everything(target)
        assert [name for name, rows in before.items() if not rows] == [], "something was in every table"
        values = [value for rows in before.values() for row in rows for value in row]
        assert None in values
        assert sum("🦔" in str(value) for value in values) > 5
        assert before == after
        await migrate.check(target)
        key = backup.with_name(backup.name.replace(".sql.gz", ".key"))
        kept = load_settings({"HOME": str(tmp_path)}, key).secret_key.get_secret_value()
        assert await token_in(target, kept) == "vk token", "the key that was kept opens what was restored"
        for file in (backup, key):
            assert file.stat().st_mode & 0o077 == 0, "for its owner's eyes only"


KEPT_APART = "SMTP_HOST=mail.example.ru\n  export SECRET_KEY = another\nSECRET_KEY_PREVIOUS_FILE=/run/secrets/old\n"


async def test_after_a_restore_it_is_said_how_the_key_is_put_back_and_the_key_is_not_shown(
    mariadb: MariaDB, tmp_path: Path
) -> None:
    env_file, elsewhere = tmp_path / ".env", tmp_path / "elsewhere"
    env_file.write_text(KEPT_APART)
    with mariadb.database() as source:
        await migrate.upgrade(source)
        made = await asyncio.to_thread(
            script, "backup.sh", tmp_path / "with blank", database=source, SECRET_KEY=KEY, SECRET_KEY_PREVIOUS="before"
        )
    backup = Path(made.stdout.strip())
    key = backup.with_name(backup.name.replace(".sql.gz", ".key"))
    key.rename(elsewhere)

    async def told() -> list[str]:
        with mariadb.database() as target:
            done = await asyncio.to_thread(script, "restore.sh", backup, database=target, ENV_FILE=str(env_file))
        assert done.returncode == 0, done.stderr
        assert KEY not in done.stdout + done.stderr
        return done.stdout.splitlines()

    first = await told()
    assert f"fetch {key} " in first[1], "it is kept apart"
    elsewhere.rename(key)
    assert await told() == [first[0], first[2]]
    subprocess.run(["sh", "-ec", first[2]], check=True)  # noqa: ASYNC221 - milliseconds
    assert env_file.read_text() == f"SMTP_HOST=mail.example.ru\nSECRET_KEY='{KEY}'\nSECRET_KEY_PREVIOUS='before'\n"
    assert env_file.stat().st_mode & 0o777 == 0o600
    settings = load_settings({"HOME": str(tmp_path)}, env_file)
    assert settings.secret_key.get_secret_value() == KEY
    assert await told() == ["Restored. The key of this backup is in place already."]


async def test_what_stands_in_files_of_the_containers_is_found_on_the_host(mariadb: MariaDB, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    for name, text in (("key", KEY), ("password", "")):
        (tmp_path / "secrets" / name).write_text(text)
    given = {"SECRET_KEY_FILE": "/run/secrets/key", "DATABASE_PASSWORD_FILE": "/run/secrets/password"}
    with mariadb.database() as source, contextlib.chdir(tmp_path):
        await migrate.upgrade(source)
        made = await asyncio.to_thread(script, "backup.sh", tmp_path / "kept", database=source, **given)
    assert made.returncode == 0, made.stderr
    [key] = (tmp_path / "kept").glob("*.key")
    assert f"SECRET_KEY='{KEY}'\n" in key.read_text()


async def test_nothing_is_restored_over_a_database_that_is_not_empty(mariadb: MariaDB, tmp_path: Path) -> None:
    with mariadb.database() as source:
        await fill(source)
        made = await asyncio.to_thread(script, "backup.sh", tmp_path, database=source)
        before = await everything(source)
        done = await asyncio.to_thread(script, "restore.sh", made.stdout.strip(), database=source)
        assert done.returncode == 2
        assert "not empty" in done.stderr
        assert await everything(source) == before


async def test_a_database_with_other_tables_is_emptied_first_where_that_is_said_and_the_password_stands_in_a_file(
    mariadb: MariaDB, tmp_path: Path
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "password").write_text("p@ss\n")
    user = f"owner_{os.getpid()}"
    with (
        mariadb.database() as source, mariadb.database() as target, contextlib.chdir(tmp_path),
        contextlib.ExitStack() as after,
    ):  # fmt: skip
        await fill(source)
        made = await asyncio.to_thread(script, "backup.sh", tmp_path, database=source)
        await fill(target)
        before, other = await everything(source), await everything(target)
        assert before != other, "tokens are never sealed alike"
        name = make_url(target).database
        mariadb.execute(
            f"CREATE TABLE {name}.later (user BIGINT REFERENCES {name}.users (id))",
            f"CREATE USER {user} IDENTIFIED BY 'p@ss'", f"GRANT ALL ON {name}.* TO {user}",
        )  # fmt: skip
        after.callback(mariadb.execute, f"DROP USER {user}")
        given = {"DATABASE_USER": user, "DATABASE_PASSWORD": "", "DATABASE_PASSWORD_FILE": "/run/secrets/password"}
        broken = tmp_path / "broken.sql.gz"
        broken.write_bytes(gzip.compress(b"SELECT 1"))
        refused = await asyncio.to_thread(script, "restore.sh", "--empty", broken, database=target, **given)
        assert (refused.returncode, "nothing was touched" in refused.stderr) == (2, True)
        assert await everything(target) == other
        done = await asyncio.to_thread(script, "restore.sh", "--empty", made.stdout.strip(), database=target, **given)
        assert (done.returncode, done.stderr) == (0, "")
        assert await everything(target) == before
        await migrate.check(target)  # so a table of another version is gone


async def test_a_backup_that_fails_leaves_no_file_that_looks_like_one(mariadb: MariaDB, tmp_path: Path) -> None:
    with mariadb.database() as source:
        made = await asyncio.to_thread(script, "backup.sh", tmp_path, database=source, DATABASE_NAME="nothing_here")
    assert made.returncode != 0
    assert list(tmp_path.glob("*.sql.gz")) == []


async def test_only_the_newest_backups_are_kept(mariadb: MariaDB, tmp_path: Path) -> None:
    for day in range(1, 5):
        (tmp_path / f"evosync-2026010{day}T000000Z.sql.gz").touch()
        (tmp_path / f"evosync-2026010{day}T000000Z.key").touch()
    with mariadb.database() as source:
        await migrate.upgrade(source)
        made = await asyncio.to_thread(script, "backup.sh", tmp_path, database=source, KEEP="2")
    assert made.returncode == 0, made.stderr
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left[0] == "evosync-20260104T000000Z.key"
    assert len([name for name in left if name.endswith(".sql.gz")]) == 2


@pytest.mark.parametrize("name", ["backup.sh", "restore.sh"])
def test_a_script_without_its_argument_says_how_it_is_used(name: str) -> None:
    done = subprocess.run([DEPLOY / name], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"deploy/{name} F" in done.stderr
