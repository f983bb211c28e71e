"""Many calls in one request: VK FACTS 5."""

import json
import os
import subprocess
import sys

import pytest

from evosync.sandbox.vk import script
from evosync.sandbox.vk.errors import VkError
from tests.sandbox.cloud import GROUP, Cloud


async def adds(cloud: Cloud, count: int, **changes: object) -> list[str]:
    """So many calls of ``market.add`` as code."""
    return [f"API.market.add({json.dumps(await cloud.goods(**changes), ensure_ascii=False)})" for _ in range(count)]


async def test_every_call_of_a_script_takes_effect_and_returns_its_value(cloud: Cloud) -> None:
    one, two = await adds(cloud, 2)
    code = (
        f"var a = {one};\nvar b = {two};\n"
        f'return {{"made": [a, b], "read": API.market.getById({{item_ids: "-{GROUP}_" + a.market_item_id'
        f' + ",-{GROUP}_" + b.market_item_id}})}};'
    )
    reply = await cloud.execute(code)
    made = [row["market_item_id"] for row in reply["response"]["made"]]
    assert [item["id"] for item in reply["response"]["read"]["items"]] == made
    assert "execute_errors" not in reply


async def test_a_failed_call_is_false_and_the_errors_come_in_order(cloud: Cloud) -> None:
    (good,) = await adds(cloud, 1)
    (short,) = await adds(cloud, 1, name="Чай")
    reply = await cloud.execute(
        f'return [{short}, {good}, API.market.edit({{"owner_id": -{GROUP}, "item_id": 99}}), API.market.none({{}})];'
    )
    assert [value is False for value in reply["response"]] == [True, False, True, True]
    assert [(error["method"], error["error_code"]) for error in reply["execute_errors"]] == [
        ("market.add", 100),
        ("market.edit", 1403),
        ("market.none", 3),
    ]


async def test_a_property_of_a_failed_call_is_null_and_a_text_of_it_is_empty(cloud: Cloud) -> None:
    (short,) = await adds(cloud, 1, name="Чай")
    reply = await cloud.execute(f'var a = {short}; return [a.market_item_id, "x" + a.market_item_id];')
    assert reply["response"] == [None, "x"]


@pytest.mark.parametrize(
    "code",
    [
        "return 1",
        "return x;",
        "var i = 0; while (i < 3) { i = i + 1; } return i;",
        "if (1) { return 1; } return 2;",
        "var a = [1]; return a[0];",
        "return a@.id;",
        "return API.market;",
        "return API.market.get({);",
        "return 1 - 1;",
        "return Args.x;",
        "// words\nreturn 1;",
        'return "open;',
        "return 1; }",
        "var var = 1; return 1;",
        "a = 1; return a;",
        "1 + 1;",
        "return NaN;",
        'return {"a": 1,};',
        " ",
    ],
)
async def test_code_outside_the_grammar_does_not_compile_and_nothing_of_it_runs(cloud: Cloud, code: str) -> None:
    before = f'API.market.addAlbum({{"owner_id": -{GROUP}, "title": "Хлеб"}});'
    reply = await cloud.execute(before + code)
    if code.strip():
        assert reply["error"]["error_code"] == 12
        assert not cloud.sandbox.communities[GROUP].albums
    else:
        assert reply["response"] is None


async def test_an_empty_script_is_refused(cloud: Cloud) -> None:
    assert (await cloud.execute(""))["error"]["error_code"] == 100
    assert (await cloud.execute("  "))["error"]["error_code"] == 12


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("return 1 + 2;", 3),
        ('return "a" + 1 + true + null;', "a11"),
        ('return {"a": [1, -2.5, "x", true, null], b: {}};', {"a": [1, -2.5, "x", True, None], "b": {}}),
        ('var a = {"b": {"c": 7}}; return a.b.c;', 7),
        ("return 'single';", "single"),
        ('return "\\u0416\\n\\"";', 'Ж\n"'),
        ("return (1 + 2) + 3;", 6),
    ],
)
async def test_literals_variables_properties_and_sums_have_their_values(cloud: Cloud, code: str, value: object) -> None:
    assert (await cloud.execute(code))["response"] == value


def test_numbers_keep_their_digits_until_the_method_reads_them() -> None:
    (statement,) = script.Parser('return {"price": 199.90};').script()
    assert isinstance(statement.node, script.Literal)
    assert script.as_params(statement.node.value) == {"price": "199.90"}


def test_parameters_turn_into_the_texts_of_a_form() -> None:
    assert script.as_params({"a": True, "b": False, "c": [1, 2], "d": None, "e": "x"}) == {
        "a": "1", "b": "0", "c": "1,2", "e": "x",
    }  # fmt: skip
    with pytest.raises(VkError):
        script.as_params({"a": {"b": 1}})
    with pytest.raises(VkError):
        script.as_params("text")


async def test_the_twenty_sixth_call_fails_the_request_and_the_others_stay_done(cloud: Cloud) -> None:
    call = f'API.market.addAlbum({{"owner_id": -{GROUP}, "title": "Хлеб"}})'
    reply = await cloud.execute(f"return [{','.join([call] * 26)}];")
    assert reply["error"]["error_code"] == 13
    assert len(cloud.sandbox.communities[GROUP].albums) == 25
    assert len((await cloud.execute(f"return [{','.join([call] * 25)}];"))["response"]) == 25


async def test_a_reply_of_more_than_five_megabytes_fails_after_its_effects(cloud: Cloud) -> None:
    cloud.sandbox.vk.max_response_bytes = 2_000
    reply = await cloud.execute(
        f'API.market.addAlbum({{"owner_id": -{GROUP}, "title": "Хлеб"}}); return "{"x" * 2_000}";'
    )
    assert reply["error"]["error_code"] == 13
    assert "response size is too big" in reply["error"]["error_msg"]
    assert len(cloud.sandbox.communities[GROUP].albums) == 1


async def test_four_pages_of_long_items_fit_into_one_reply(cloud: Cloud) -> None:
    for number in range(900):
        cloud.sandbox.add_item(
            GROUP, f"Товар {number}", 100, description="Описание товара. " * 10, picture=b"GIF89a\x90\1\x90\1\0\0\0"
        )
    page = 'API.market.get({{"owner_id":-77,"count":200,"offset":{},"extended":1,"with_disabled":1}})'
    four = await cloud.execute(f"return [{','.join(page.format(200 * n) for n in range(4))}];")
    assert [len(one["items"]) for one in four["response"]] == [200, 200, 200, 200]
    assert await cloud.code("execute", code=f"return [{','.join([page.format(0)] * 6)}];") == 13


async def test_the_ledger_names_the_calls_inside(cloud: Cloud) -> None:
    await cloud.execute(f'return [API.market.getAlbums({{"owner_id": -{GROUP}}}), API.users.get({{}})];')
    arrival = cloud.sandbox.ledger.arrivals[-1]
    assert (arrival.method, arrival.inner) == ("execute", ["market.getAlbums", "users.get"])
    assert cloud.sandbox.ledger.requests("vk") == 1


ANSWERS = """
import orjson
from evosync.sandbox.vk.http import to_json
for size in range(6000):
    to_json([{"items": orjson.Fragment(b"[" + b"1" * size + b"]")}] + [False] * 24)
"""


def test_an_answer_with_many_refusals_after_a_big_one_keeps_within_its_memory() -> None:
    environ = {**os.environ, "PYTHONMALLOC": "debug", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run([sys.executable, "-c", ANSWERS], env=environ, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
