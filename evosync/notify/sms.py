"""Carriers of SMS: the console, and sms.ru over HTTP."""

import sys
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TextIO

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from evosync.notify.mail import NotSent

# https://sms.ru/api/send: 100 is success; the number or the text is at fault in 201 to 207 and 230 to 233.
_TAKEN: Final = 100
_FINAL: Final = frozenset({*range(201, 208), *range(230, 234)})


class Sms(Protocol):
    """Somebody who carries short texts."""

    async def send(self, phone: str, text: str, /) -> None:
        """`phone` is E.164. Raises `NotSent`."""


class ConsoleSms:
    """Writes the text to standard output, apart from the log."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, phone: str, text: str, /) -> None:
        out = self._stream or sys.stdout
        out.write(f"\n=== SMS to {phone}\n{text}\n=== end\n\n")
        out.flush()


@dataclass(frozen=True, slots=True)
class SmsRu:
    """sms.ru. `session` is the service's own HTTP client."""

    session: ClientSession
    api_id: str = field(repr=False)
    url: str = "https://sms.ru/sms/send"
    timeout: float = 20.0

    async def send(self, phone: str, text: str, /) -> None:
        number = phone.removeprefix("+")
        sent = {"api_id": self.api_id, "to": number, "msg": text, "json": "1"}
        try:
            # A redirect may have the same body sent again, with key, number and text, to wherever it names.
            async with self.session.post(
                self.url, data=sent, timeout=ClientTimeout(self.timeout), allow_redirects=False
            ) as reply:
                if reply.status // 100 == 3:
                    raise NotSent(f"sms.ru HTTP {reply.status}")
                body: Any = orjson.loads(await reply.read())
        except (ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            raise NotSent(type(error).__name__) from error
        code = _code(body, number)
        if code != _TAKEN:
            raise NotSent(f"sms.ru {code}", for_good=code in _FINAL)


def _code(body: Any, number: str) -> int:
    """The code for our one message, else that of the whole request; 0 for an answer that makes no sense."""
    if not isinstance(body, dict):
        return 0
    whole = body.get("status_code")
    messages = body.get("sms")
    one = messages.get(number) if isinstance(messages, dict) else None
    code = one.get("status_code") if whole == _TAKEN and isinstance(one, dict) else whole
    return code if isinstance(code, int) else 0
