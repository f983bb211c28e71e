"""Somebody at a terminal: types commands, each a process of its own, and reads what they say."""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import evosync.cli.commands  # noqa: F401 - each command finds it imported
from evosync.__main__ import main

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.cli.person"])


@dataclass(frozen=True)
class Said:
    """How a command ended, and its two outputs."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


@dataclass
class Person:
    """Works in `folder`, with these settings."""

    folder: Path
    environ: Mapping[str, str]
    commands: int = 0
    heard: list[Said] = field(default_factory=list)

    async def types(self, *words: str, stdin: str = "", **more: str) -> Said:
        """`evosync` with these words; `more` are further settings."""
        self.commands += 1
        base = self.folder / f"command-{self.commands}"
        base.with_suffix(".in").write_text(stdin)
        process = _FORKS.Process(target=_run, args=(str(base), {**self.environ, **more}, words, str(self.folder)))
        process.start()
        await asyncio.to_thread(process.join, 60)
        code = process.exitcode
        process.kill()
        process.join()
        process.close()
        assert code is not None, "it does not end"
        said = Said(code, base.with_suffix(".out").read_text(), base.with_suffix(".err").read_text())
        assert "Traceback" not in said.all, said.all
        self.heard.append(said)
        return said


def _run(base: str, environ: Mapping[str, str], words: tuple[str, ...], folder: str) -> None:
    os.chdir(folder)
    for stream, end in ((1, ".out"), (2, ".err")):
        file = os.open(base + end, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, stream)
    sys.stdin = open(base + ".in", encoding="utf-8")  # noqa: PTH123, SIM115 - for the life of the process
    os.environ.update(environ)
    code = main(words)
    sys.stdout.flush()
    sys.exit(code)
