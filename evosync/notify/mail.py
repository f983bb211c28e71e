"""Carriers of mail: the console for development, SMTP for real."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from http import HTTPStatus
from typing import Literal, Protocol, TextIO

import aiosmtplib

from evosync.notify.letters import Letter


class NotSent(Exception):
    """The letter did not go out. `for_good`: trying again would not help."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good


class Mail(Protocol):
    """Somebody who carries letters."""

    async def send(self, letter: Letter, /) -> None:
        """Raises `NotSent`. Returns once somebody else has taken the letter over."""


class ConsoleMail:
    """Writes letters where the person who runs the service sees them: standard output, apart from the log."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, letter: Letter, /) -> None:
        out = self._stream or sys.stdout
        out.write(f"\n=== To: {letter.to}\n=== Subject: {letter.subject}\n\n{letter.text}=== end\n\n")
        out.flush()


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """`tls`: from the start ("tls"), after STARTTLS ("starttls"), or never ("none", for a server on this machine).

    `sender` is an address, with a name before it or without: "Shop <no-reply@example.ru>".
    """

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Literal["tls", "starttls", "none"] = "starttls"
    timeout: float = 30.0


class SmtpMail:
    """One connection a letter, one letter at a time: servers count connections, and letters are few."""

    def __init__(self, server: SmtpServer, *, host: str, clock: Callable[[], datetime] | None = None) -> None:
        """`host` is the name of this service, for the letters' own ids."""
        self._server = server
        self._host = host
        self._clock = clock or (lambda: datetime.now(UTC))
        self._turn = asyncio.Lock()

    async def send(self, letter: Letter, /) -> None:
        server = self._server
        try:
            message = self._message(letter)
        except ValueError as error:
            raise NotSent("the address cannot be written", for_good=True) from error
        async with self._turn:
            try:
                await aiosmtplib.send(
                    message,
                    hostname=server.host,
                    port=server.port,
                    username=server.user or None,
                    password=server.password or None,
                    use_tls=server.tls == "tls",
                    start_tls=server.tls == "starttls",
                    timeout=server.timeout,
                )
            except aiosmtplib.SMTPRecipientsRefused as error:
                code = max((refusal.code for refusal in error.recipients), default=0)
                raise NotSent(f"SMTP {code}: the address was refused", for_good=_is_final(code)) from error
            except aiosmtplib.SMTPResponseException as error:
                # A server's own words may quote the letter.
                raise NotSent(
                    f"SMTP {error.code}", for_good=_is_final(error.code) and _is_about_letter(error)
                ) from error
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                raise NotSent(type(error).__name__) from error

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        name, address = parseaddr(self._server.sender)
        message["From"] = Address(name or "EvoSync", addr_spec=address)
        message["To"] = Address(addr_spec=letter.to)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(self._clock())
        # The same for every try, so that a letter that went out twice may be shown once.
        message["Message-ID"] = f"<letter-{letter.number}@{self._host}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        message["Content-Language"] = letter.language  # set before, it would go with the text part
        return message


def _is_final(code: int) -> bool:
    return code >= HTTPStatus.INTERNAL_SERVER_ERROR  # SMTP draws the line at the same number


def _is_about_letter(error: aiosmtplib.SMTPResponseException) -> bool:
    """A refusal of the letter, not of our sign-in there, which the operator can mend."""
    return not isinstance(
        error, aiosmtplib.SMTPAuthenticationError | aiosmtplib.SMTPConnectError | aiosmtplib.SMTPHeloError
    )
