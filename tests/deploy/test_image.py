"""The image, as far as it can be had without an engine."""

import asyncio
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from evosync.db import migrate
from tests.deploy.dockerfile import ROOT, USER, Image, image
from tests.services import free_ports

KEY = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def built() -> Iterator[Image]:
    with image() as made:
        yield made


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@pytest.mark.timeout(300)
def test_the_steps_leave_what_the_lock_names_in_its_versions_and_nothing_else(built: Image) -> None:
    folders = [path.name.removesuffix(".dist-info").partition("-") for path in built.venv.rglob("*.dist-info")]
    installed = {canonicalize_name(name): version for name, _, version in folders}
    lines = re.findall(r"^[a-z0-9][^\\\n]*==[^\\\n]*", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    wanted = [one for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate()]
    del installed[canonicalize_name("evosync")]
    assert installed == {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in wanted}
    assert list(built.venv.glob("lib/*/site-packages/*/__pycache__/app.*.pyc")), (
        "compiled, for nothing can be written later"
    )


@pytest.mark.timeout(300)
def test_no_build_tool_is_left_nor_what_one_could_be_made_of(built: Image) -> None:
    for folder in (built.venv, built.base):
        assert not list(folder.rglob("*.whl"))
        programs = [path.name for path in (folder / "bin").iterdir()]
        assert not [name for name in programs if re.fullmatch(r"(pip|uvx?|hatch|hatchling|wheel)[\d.]*", name)]
    assert not list(built.base.rglob("*.dist-info"))
    for module in ("pip", "setuptools"):
        done = subprocess.run(
            [built.base / "bin" / "python", "-m", module], capture_output=True, text=True, check=False
        )
        assert f"No module named {module}" in done.stderr


@pytest.mark.timeout(300)
def test_it_migrates_and_ends_when_it_is_asked_to(built: Image, mariadb_url: str) -> None:
    """As deploy/update.sh asks it; its word follows the image's entry."""
    given = {"DATABASE_URL": mariadb_url, "SECRET_KEY": KEY, "DOMAIN": "shop.example.ru"}
    done = built.run(built.command()[0], "migrate", **given)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "The database is up to date.")
    asyncio.run(migrate.check(mariadb_url))


@pytest.mark.timeout(300)
def test_two_that_start_at_once_migrate_serve_read_only_as_nobody_special_and_stop(
    built: Image, mariadb_url: str, redis_url: str
) -> None:
    secrets = built.folder / "secrets"
    secrets.mkdir(exist_ok=True)
    for name, text in (("key", KEY), ("database", mariadb_url)):
        (secrets / name).write_text(text)
        (secrets / name).chmod(0o400)
        os.chown(secrets / name, USER, USER)
    ports = free_ports(2)
    given = {
        "SECRET_KEY_FILE": str(secrets / "key"), "DATABASE_URL_FILE": str(secrets / "database"), "REDIS_URL": redis_url,
        "DOMAIN": "shop.example.ru", "EVOSYNC_HOST": "127.0.0.1",
    }  # fmt: skip
    running = [built.begin(*built.command(), **given, EVOSYNC_PORT=str(port)) for port in ports]
    try:
        until = time.monotonic() + 90
        while not all(map(answers, ports)):
            ended = [process.communicate()[0] for process in running if process.poll() is not None]
            assert not ended, ended
            assert time.monotonic() < until
            time.sleep(0.1)
        for process in running:
            status = dict(re.findall(r"^(\w+):\s+(.*)$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE))
            assert set(status["Uid"].split()) == {str(USER)}
            assert (int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, 0, "1")
        while (check := built.run(*built.health_check(), **given, EVOSYNC_PORT=str(ports[0]))).returncode != 0:
            assert time.monotonic() < until, check.stdout
        assert "Read-only file system" in built.run("touch", str(built.venv / "new")).stdout
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert all('"stopping"' in each and KEY not in each for each in said)
