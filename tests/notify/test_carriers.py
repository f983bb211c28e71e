"""Mail over a real SMTP server, SMS over a real HTTP server, and both on the console."""

import io
from collections.abc import AsyncIterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from evosync.notify.letters import Letter
from evosync.notify.mail import ConsoleMail, NotSent, SmtpMail, SmtpServer
from evosync.notify.sms import ConsoleSms, SmsRu
from tests import services

LETTER = Letter(
    7,
    "anna@example.com",
    "Подтвердите почту для EvoSync",
    "Здравствуйте, Анна.\n\nhttps://shop.example.ru/x?token=T\n",
    "<p>Здравствуйте, Анна.</p>",
    "ru",
)


class Mailbox:
    """What an SMTP server got; `refusal` is what it says instead of taking it."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refusal = ""
        self.refuse_address = ""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refuse_address:
            return self.refuse_address
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refusal:
            return self.refusal
        content = envelope.content
        assert isinstance(content, bytes)
        self.messages.append(BytesParser(EmailMessage, policy=policy.default).parsebytes(content))
        return "250 taken"


@pytest.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, SmtpMail]]:
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=services.free_port())
    server.start()
    settings = SmtpServer("127.0.0.1", server.port, "evosync@shop.example.ru", tls="none", timeout=5)
    yield box, SmtpMail(settings, host="shop.example.ru")
    server.stop()


async def test_a_letter_arrives_as_text_and_html_in_its_language(mailbox: tuple[Mailbox, SmtpMail]) -> None:
    box, mail = mailbox
    await mail.send(LETTER)
    (message,) = box.messages
    assert message["Subject"] == "Подтвердите почту для EvoSync"
    assert message["From"] == "EvoSync <evosync@shop.example.ru>"
    assert message["To"] == "anna@example.com"
    assert message["Message-ID"] == "<letter-7@shop.example.ru>"
    assert message["Content-Language"] == "ru"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == LETTER.text
    assert "<p>Здравствуйте, Анна.</p>" in html.get_content()


async def test_the_sender_may_have_a_name_of_his_own(mailbox: tuple[Mailbox, SmtpMail]) -> None:
    box, mail = mailbox
    named = SmtpServer("127.0.0.1", mail._server.port, "Лавка <no-reply@shop.example.ru>", tls="none", timeout=5)
    await SmtpMail(named, host="shop.example.ru").send(LETTER)
    assert box.messages[0]["From"] == "Лавка <no-reply@shop.example.ru>"


@pytest.mark.parametrize(("answer", "for_good"), [("451 busy, try later", False), ("552 too big", True)])
async def test_a_server_that_refuses_says_whether_to_try_again(
    mailbox: tuple[Mailbox, SmtpMail], answer: str, *, for_good: bool
) -> None:
    box, mail = mailbox
    box.refusal = answer
    with pytest.raises(NotSent) as caught:
        await mail.send(LETTER)
    assert caught.value.for_good is for_good
    assert str(caught.value) == f"SMTP {answer[:3]}", "not the server's own words, which may quote the letter"


async def test_an_address_that_does_not_exist_is_not_tried_again(mailbox: tuple[Mailbox, SmtpMail]) -> None:
    box, mail = mailbox
    box.refuse_address = "550 no such mailbox"
    with pytest.raises(NotSent) as caught:
        await mail.send(LETTER)
    assert caught.value.for_good


async def test_a_server_that_is_away_is_tried_again() -> None:
    mail = SmtpMail(SmtpServer("127.0.0.1", services.free_port(), "e@example.com", tls="none", timeout=2), host="x")
    with pytest.raises(NotSent) as caught:
        await mail.send(LETTER)
    assert not caught.value.for_good


async def test_an_address_cannot_smuggle_a_header(mailbox: tuple[Mailbox, SmtpMail]) -> None:
    box, mail = mailbox
    bad = Letter(8, "anna@example.com\r\nBcc: all@example.com", "s", "t", "h", "ru")
    with pytest.raises(NotSent) as caught:
        await mail.send(bad)
    assert caught.value.for_good
    assert box.messages == []


def test_the_password_of_the_server_never_shows() -> None:
    assert "secret" not in repr(SmtpServer("h", 25, "s", user="u", password="secret"))


async def test_the_console_shows_the_whole_letter() -> None:
    out = io.StringIO()
    await ConsoleMail(out).send(LETTER)
    assert "To: anna@example.com" in out.getvalue()
    assert "https://shop.example.ru/x?token=T" in out.getvalue()
    await ConsoleSms(out).send("+79123456789", "привет")
    assert "SMS to +79123456789\nпривет" in out.getvalue()


class SmsHost:
    """sms.ru as its documentation describes it."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.whole = 100
        self.one = 100
        self.body: bytes | None = None

    async def send(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        if self.body is not None:
            return web.Response(body=self.body)
        answer: dict[str, Any] = {"status": "OK" if self.whole == 100 else "ERROR", "status_code": self.whole}
        if self.whole == 100:
            answer["sms"] = {form["to"]: {"status": "OK" if self.one == 100 else "ERROR", "status_code": self.one}}
        return web.Response(body=orjson.dumps(answer))


@pytest.fixture
async def sms_host() -> AsyncIterator[tuple[SmsHost, SmsRu]]:
    host = SmsHost()
    app = web.Application()
    app.router.add_post("/sms/send", host.send)
    async with TestServer(app) as server, ClientSession() as session:
        yield host, SmsRu(session, "key", url=str(server.make_url("/sms/send")), timeout=2)


async def test_an_sms_is_handed_over(sms_host: tuple[SmsHost, SmsRu]) -> None:
    host, sms = sms_host
    await sms.send("+79123456789", "текст")
    assert host.asked == [{"api_id": "key", "to": "79123456789", "msg": "текст", "json": "1"}]
    assert "key" not in repr(sms)


@pytest.mark.parametrize(
    ("whole", "one", "for_good"),
    [(220, 100, False), (301, 100, False), (100, 207, True), (100, 230, True), (100, 500, False)],
)
async def test_what_sms_ru_refuses_is_tried_again_unless_the_number_is_at_fault(
    sms_host: tuple[SmsHost, SmsRu], whole: int, one: int, *, for_good: bool
) -> None:
    host, sms = sms_host
    host.whole, host.one = whole, one
    with pytest.raises(NotSent) as caught:
        await sms.send("+79123456789", "текст")
    assert caught.value.for_good is for_good


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b""])
async def test_an_answer_that_makes_no_sense_is_tried_again(sms_host: tuple[SmsHost, SmsRu], body: bytes) -> None:
    host, sms = sms_host
    host.body = body
    with pytest.raises(NotSent) as caught:
        await sms.send("+79123456789", "текст")
    assert not caught.value.for_good
