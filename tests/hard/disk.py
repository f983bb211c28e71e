"""A file system of its own that a test fills to the last byte."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import unavailable


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Where it is mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        unavailable(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def filled(place: Path, *, but: int = 0) -> Iterator[None]:
    """Not a byte is left, or so many."""
    junk, spare = place / "junk", place / "spare"
    spare.write_bytes(b"\0" * but)
    with junk.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (65_536, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    spare.unlink()
    try:
        yield
    finally:
        junk.unlink()
