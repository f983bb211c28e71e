"""The whole service for people in browsers: one process, real MariaDB and Redis, the sandbox, and an SMTP server."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from tests.browser.demo import COMMAND, waited
from tests.services import Server, free_port


@dataclass(slots=True)
class Letters:
    """What the SMTP server took."""

    taken: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        self.taken.append(BytesParser(EmailMessage, policy=policy.default).parsebytes(envelope.content))
        return "250 taken"

    def link(self, to: str) -> str:
        """The link in the newest letter to this address, once it has come."""
        letter = waited(lambda: next((one for one in reversed(self.taken) if one["To"] == to), None))
        assert letter is not None
        text = letter.get_body(("plain",))
        assert text is not None
        found = re.search(r"http://\S+\?token=\S+", text.get_content())
        assert found is not None, text.get_content()
        return found[0]


@dataclass(frozen=True, slots=True)
class Service:
    """Where everything is."""

    url: str
    clouds: Mapping[str, Any]
    letters: Letters
    environ: Mapping[str, str]

    @property
    def shops(self) -> list[Mapping[str, Any]]:
        """Tokens and addresses of the seeded shops."""
        found: list[Mapping[str, Any]] = self.clouds["owners"]
        return found

    def slow(self, **seconds: float) -> None:
        """How long the clouds take from now on."""
        body = json.dumps({"latency": seconds}).encode()
        with urlopen(Request(f"{self.clouds['url']}/control/options", body, method="POST"), timeout=10) as reply:  # noqa: S310 - our own address
            reply.read()

    def command(self, *words: str, told: str = "") -> None:
        """`evosync` with these words, for the operator."""
        done = subprocess.run(
            [COMMAND, *words],
            env={**os.environ, **self.environ},
            input=told,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def serving(
    folder: Path, *, database: str, redis: str, shops: tuple[str, ...] = ("--seed", "demo")
) -> Iterator[Service]:
    """`evosync serve` beside a sandbox with these shops."""
    letters = Letters()
    post = Controller(letters, hostname="127.0.0.1", port=free_port())
    (folder / "sandbox").mkdir()
    (folder / "service").mkdir()
    port, said = free_port(), folder / "sandbox" / "server.log"
    sandbox = Server(
        [sys.executable, "-m", "evosync.sandbox", "--port", "0", *shops],
        folder / "sandbox",
        lambda: said.read_text().endswith("\n"),
    )
    post.start()
    sandbox.start()
    clouds = json.loads(said.read_text())
    environ = {
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "SECRET_KEY": "a key of a journey, long enough for it",
        "EVOSYNC_DATA_DIR": str(folder / "data"),
        "EVOSYNC_PORT": str(port),
        "BASE_URL": f"http://localhost:{port}",
        "EVOTOR_API_URL": clouds["evotor_url"],
        "VK_API_URL": clouds["vk_url"],
        "CATALOG_DELTA_INTERVAL_SECONDS": "10",
        "CATALOG_DELTA_OVERLAP_SECONDS": "60",
        "EMAIL_PROVIDER": "smtp",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(post.port),
        "SMTP_TLS": "none",
        "SMTP_SENDER": "EvoSync <no-reply@shop.example.ru>",
        "SUPPORT_EMAIL": "help@shop.example.ru",
    }
    given = [f"{name}={value}" for name, value in environ.items()]
    log = folder / "service" / "server.log"
    service = Server(
        ["/usr/bin/env", *given, str(COMMAND), "serve"], folder / "service", lambda: '"serving"' in log.read_text()
    )
    try:
        service.start()
        yield Service(environ["BASE_URL"], clouds, letters, environ)
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        service.stop()
        sandbox.stop()
        post.stop()
