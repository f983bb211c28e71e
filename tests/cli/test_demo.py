"""`evosync demo` and the installed command, in processes that import everything themselves."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.person import Person

COMMAND = Path(sys.executable).with_name("evosync")


async def _begin(folder: Path, *words: str) -> asyncio.subprocess.Process:
    folder.mkdir(exist_ok=True)
    return await asyncio.create_subprocess_exec(
        COMMAND,
        *words,
        cwd=folder,
        env={**os.environ, "EVOSYNC_DATA_DIR": str(folder / "data"), "VK_REQUESTS_PER_SECOND": "20"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def test_the_demo_mirrors_its_shop_and_stops_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    demo = await _begin(folder, "demo", "--port", "0")
    assert demo.stdout is not None
    said = ""
    async with asyncio.timeout(100):
        while "Ctrl+C stops everything" not in said:
            line = await demo.stdout.readline()
            assert line, said
            said += line.decode()
        demo.send_signal(signal.SIGTERM)
        said += (await demo.communicate())[0].decode()
    assert demo.returncode == 0, said
    assert "all done" in said
    assert "failed                      0" in said
    assert "Stopping." in said
    assert "Traceback" not in said
    assert list(folder.iterdir()) == [folder / "data"], "nothing is left lying about"


async def test_the_demo_once_ends_with_its_first_run(tmp_path: Path) -> None:
    demo = await _begin(tmp_path / "elsewhere", "demo", "--once", "--port", "0", "--first", "5")
    said = (await demo.communicate())[0].decode()
    assert demo.returncode == 0, said
    assert "all done" in said


@pytest.mark.parametrize(("file", "text"), [("none.json", None), ("bad.json", "{"), ("odd.json", "[1]")])
async def test_a_catalog_that_cannot_be_read_is_named(person: Person, file: str, text: str | None) -> None:
    path = person.folder / file
    if text is not None:
        path.write_text(text)
    said = await person.types("demo", "--once", "--port", "0", "--catalog", str(path))
    assert said.code == 2
    assert file in said.err


async def test_the_last_port_leaves_none_for_the_sandbox_and_that_is_said(person: Person) -> None:
    said = await person.types("demo", "--once", "--port", "65535")
    assert (said.code, "none after 65535" in said.err) == (2, True), said.err
