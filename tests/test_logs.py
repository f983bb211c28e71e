"""The log: one line per event, with its fields, and never a secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.web_protocol import RequestPayloadError

from evosync import logs

VK_TOKEN = "vk1.a.Zx9-_abcdefghijklmnopqrstuvwxyz0123456789"
OLD_VK_TOKEN = "0a1b2c3d4e" * 8 + "0a1b2"
EVOTOR_TOKEN = "9d3c0c6e-1f2a-4b5c-8d7e-6f5a4b3c2d1e"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """What is logged while a test runs, as JSON lines; the root logger is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.configure(level="DEBUG", form="json", hide=["the-operators-own-key"], stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def last(stream: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return line


def test_both_ways_to_log_give_the_same_line(out: io.StringIO) -> None:
    logging.getLogger("evosync.sync").info("push", extra={"action": "edit", "count": 3})
    plain = last(out)
    structlog.get_logger("evosync.sync").info("push", action="edit", count=3)
    bound = last(out)
    assert plain.pop("timestamp") <= bound.pop("timestamp")
    assert plain == bound == {
        "event": "push", "action": "edit", "count": 3, "level": "info", "logger": "evosync.sync",
    }  # fmt: skip


def test_what_is_bound_stands_in_every_line_inside_and_in_none_after(out: io.StringIO) -> None:
    with logs.bound(user_id=7, run_id=12):
        logging.getLogger("evosync.vk").warning("slow")
        assert (last(out)["user_id"], last(out)["run_id"]) == (7, 12)
    logging.getLogger("evosync.vk").warning("slow")
    assert "user_id" not in last(out)


@pytest.mark.parametrize(
    "message",
    [
        f"GET https://api.vk.com/method/market.get?access_token={VK_TOKEN}&v=5.199",
        f"{{'access_token': '{EVOTOR_TOKEN}', 'v': '5.199'}}",
        f'{{"refresh_token": "{EVOTOR_TOKEN}"}}',
        f"headers: {{'Authorization': 'Bearer {EVOTOR_TOKEN}'}}",
        f"Authorization: {EVOTOR_TOKEN}",
        f"sent {VK_TOKEN} and {OLD_VK_TOKEN}",
        f"https://shop.example.ru/reset-password?token={EVOTOR_TOKEN}",
        f"redirected to https://shop.example.ru/back?code={EVOTOR_TOKEN}&state=1",
        f"mysql+aiomysql://evosync:{EVOTOR_TOKEN}@db/evosync",
        "signed with the-operators-own-key",
        f"password={EVOTOR_TOKEN}",
    ],
)
def test_a_secret_inside_a_text_does_not_reach_the_log(out: io.StringIO, message: str) -> None:
    logging.getLogger("evosync").info(message)
    logging.getLogger("evosync").info("said: %s", message)
    for secret in (VK_TOKEN, OLD_VK_TOKEN, EVOTOR_TOKEN, "the-operators-own-key"):
        assert secret not in out.getvalue()
    assert logs.HIDDEN in out.getvalue()


def test_a_field_named_like_a_secret_is_hidden_however_deep(out: io.StringIO) -> None:
    logging.getLogger("evosync").info(
        "request",
        extra={
            "request_params": [{"key": 1, "access_token": "plain"}],
            "headers": {"Set-Cookie": "s=plain"},
            "PASSWORD": "plain",
        },
    )
    assert "plain" not in out.getvalue()


def test_the_code_of_an_authorization_is_hidden_and_that_of_an_error_is_not(out: io.StringIO) -> None:
    for code in ("VK 5", "Evotor 401", "Evotor connection", "held_listing", 14):
        logging.getLogger("evosync").info("run failed", extra={"code": code})
        assert last(out)["code"] == code
    logging.getLogger("evosync").info("redirected", extra={"code": "4f0a9c1d7e5b2a8c6d"})
    assert last(out)["code"] == logs.HIDDEN


def test_a_secret_in_a_traceback_is_hidden(out: io.StringIO) -> None:
    try:
        int(f"bad token={VK_TOKEN}")
    except ValueError:
        logging.getLogger("evosync").exception("crash")
    assert "ValueError" in last(out)["exception"]
    assert VK_TOKEN not in out.getvalue()


def test_what_a_stranger_sends_that_is_no_http_is_no_error_of_ours(out: io.StringIO) -> None:
    logs.configure(level="INFO", form="json", stream=out)
    server = logging.getLogger("aiohttp.server")
    for error in (BadHttpMessage("two lengths"), LineTooLong(b"x", 8190), RequestPayloadError("badly packed")):
        server.error("Error handling request from %s", "203.0.113.9", exc_info=error)
    assert out.getvalue() == ""
    server.error("Error handling request", exc_info=RuntimeError("our own"))
    assert (last(out)["level"], "our own" in last(out)["exception"]) == ("error", True)


def test_what_only_sounds_like_a_secret_stays(out: io.StringIO) -> None:
    product = EVOTOR_TOKEN
    logging.getLogger("evosync").info(
        "token health is fine", extra={"tokens": 3, "token_health": "ok", "product": product}
    )
    line = last(out)
    assert (line["event"], line["tokens"], line["token_health"]) == ("token health is fine", 3, "ok")
    assert line["product"] == product


def test_a_value_json_cannot_say_is_written_as_text(out: io.StringIO) -> None:
    logging.getLogger("evosync").info("odd", extra={"where": io.StringIO, "raw": b"\xff", "keys": {1: {2}}})
    assert last(out)["keys"] == {"1": [2]}


def test_configuring_again_does_not_double_the_lines(out: io.StringIO) -> None:
    logs.configure(level="INFO", form="json", stream=out)
    logging.getLogger("evosync").info("once")
    assert len(out.getvalue().splitlines()) == 1


def test_the_readable_form_hides_secrets_too(out: io.StringIO) -> None:
    logs.configure(level="INFO", form="console", stream=out)
    logging.getLogger("evosync").info("connect", extra={"access_token": VK_TOKEN, "user": 7})
    assert "user=7" in out.getvalue()
    assert VK_TOKEN not in out.getvalue()
