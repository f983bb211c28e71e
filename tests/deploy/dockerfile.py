"""The Dockerfile without an engine: its steps in a folder of their own, and what they made, as the image runs it."""

import ensurepip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests import services

ROOT = Path(__file__).parents[2]
USER: Final = 10001
_OURS: Final = re.compile(r"(?<![\w./-])/(tools|venv|build|usr/local)\b")

# Nothing can be written but the data folder, which is in memory; nothing may be done but what anybody may.
_CONTAINER: Final = r"""
set -e
mount -t tmpfs -o mode=755 none "$FOLDER/hold"
mkdir "$FOLDER/hold/python" && mount --bind "$PYTHON" "$FOLDER/hold/python"
case "$PYTHON" in /root/*) mount -t tmpfs -o mode=755 none /root; mkdir -p "$PYTHON"; esac
mount --bind "$FOLDER/hold/python" "$PYTHON"
mount -t tmpfs -o mode=700,uid=10001 none "$FOLDER/data"
mount -o remount,bind,ro /
cd "$FOLDER/data"
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
"""


@dataclass(slots=True)
class Stage:
    """What a stage copies from the folder of the repository, runs, and sets."""

    steps: list[tuple[str, str]] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)

    def said(self, word: str) -> str:
        return next(rest for name, rest in self.steps if name == word)


def stages() -> list[Stage]:
    """The Dockerfile, read as far as ours goes."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found: list[Stage] = []
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            found.append(Stage())
        elif word == "ENV":
            found[-1].environ |= dict(re.findall(r"(\w+)=(\S+)", rest))
        elif word and not word.startswith("#"):
            found[-1].steps.append((word, rest.strip()))
    return found


@dataclass(frozen=True, slots=True)
class Image:
    """A folder that stands for the image's root."""

    folder: Path

    @property
    def venv(self) -> Path:
        return self.folder / "venv"

    @property
    def base(self) -> Path:
        """The Python that comes with the image."""
        return self.folder / "usr" / "local"

    def build(self) -> None:
        """Every step of the first stage, in order, and then the commands of the last."""
        for name in ("build", "commands", "data", "hold"):
            (self.folder / name).mkdir()
        python = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
        (self.folder / "commands" / "python").symlink_to(python)
        stage = stages()[0]
        for word, rest in stage.steps:
            if word == "COPY":
                self._copy(rest.split())
            elif word == "RUN":
                self._do(rest, self.folder / "commands", **stage.environ)
        self._lay_base(python)
        self._do(stages()[-1].said("RUN"), self.base / "bin")

    def _do(self, command: str, programs: Path, **more: str) -> None:
        environ = os.environ | more | {"PATH": f"{programs}:{os.environ['PATH']}"}
        for name in ("PYTHONPATH", "VIRTUAL_ENV"):
            environ.pop(name, None)
        ours = _OURS.sub(lambda found: str(self.folder / found[1]), command)
        done = subprocess.run(
            ["/bin/sh", "-ec", ours], cwd=self.folder / "build", env=environ, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def _lay_base(self, python: Path) -> None:
        """As much of the image's Python as installs: pip and what it came from. No account is made on this machine."""
        subprocess.run([python, "-m", "venv", self.base], check=True)
        installer = Path(ensurepip.__file__).parent
        shutil.copytree(installer, self.base / "lib" / python.name / "ensurepip")
        (self.base / "bin" / "useradd").symlink_to("/bin/true")

    def _copy(self, words: Sequence[str]) -> None:
        *sources, target = words
        ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        for source in sources:
            assert f"!{source}" in ignore, f"{source} does not reach the builder"
            to = self.folder / "build" / target / (source if target.endswith("/") else "")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, to)

    def begin(self, *words: str, **environ: str) -> "subprocess.Popen[str]":
        """`words` in it, by the image's user; `environ` besides what the image sets."""
        made = {name: value for name, value in stages()[-1].environ.items() if name != "PATH"}
        given = made | {"EVOSYNC_DATA_DIR": str(self.folder / "data"), "PATH": f"{self.venv / 'bin'}:/usr/bin:/bin"}
        outside: Mapping[str, str] = {
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "FOLDER": str(self.folder), "PYTHON": sys.base_prefix,
        }  # fmt: skip
        inside = [f"{name}={value}" for name, value in (given | environ).items()]
        command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", _CONTAINER, "-"]
        return subprocess.Popen(
            [*command, "env", "-i", *inside, *words], env=outside, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """The same, until it ends; both outputs in one."""
        process = self.begin(*words, **environ)
        said, _ = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, said)

    def health_check(self) -> list[str]:
        """The command that the engine asks."""
        found: list[str] = json.loads(stages()[-1].said("HEALTHCHECK").partition("CMD ")[2])
        return found

    def command(self) -> list[str]:
        """What the image runs when nothing else is said."""
        last = stages()[-1]
        return [*json.loads(last.said("ENTRYPOINT")), *json.loads(last.said("CMD"))]


@contextmanager
def image() -> Iterator[Image]:
    """Built; in a folder that the image's user may enter."""
    if os.geteuid() != 0 or not all(map(services.find, ("unshare", "setpriv", "mount"))):
        services.unavailable("the image's steps need root, unshare and setpriv")
    folder = Path(tempfile.mkdtemp(prefix="evosync-image-"))
    folder.chmod(0o755)
    try:
        made = Image(folder)
        made.build()
        yield made
    finally:
        shutil.rmtree(folder)
