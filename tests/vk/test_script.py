import json
import re

from hypothesis import given
from hypothesis import strategies as st

from evosync.vk import script
from evosync.vk.faults import Fault
from evosync.vk.script import ReadBack

anything = st.text(max_size=60)


def read_call(code: str) -> tuple[str, object, str]:
    """Method, parameters and the rest of the code after one `var a0=API.x.y({...});`."""
    head = re.match(r"var a\d+=API\.([a-zA-Z.]+)\(", code)
    assert head is not None
    params, end = json.JSONDecoder().raw_decode(code, head.end())
    assert code.startswith(");", end)
    return head[1], params, code[end + 2 :]


def call(method: str, params: script.Params) -> str:
    return f"API.{method}({script.literal(params)})"


@given(st.lists(st.dictionaries(anything, anything | st.integers(-(2**53), 2**53)), min_size=1, max_size=4))
def test_no_text_gets_out_of_its_quotes(all_params: list[dict[str, str | int]]) -> None:
    code = script.build([call("market.add", params) for params in all_params])
    for params in all_params:
        method, found, code = read_call(code)
        assert (method, found) == ("market.add", params)
    assert code == "return [" + ",".join(f"a{number}" for number in range(len(all_params))) + "];"


@given(st.text(alphabet=st.characters(), max_size=60))
def test_no_character_that_ends_a_line_or_a_script_stands_in_the_code(text: str) -> None:
    code = script.literal({"name": f"{text}\u2028</script>\u2029"})
    assert not {"\u2028", "\u2029", "\n", "\r"} & set(code)
    assert "</" not in code


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert script.literal({"name": "a\ud83db"}) == '{"name":"a?b"}'


def test_items_are_read_back_by_the_ids_that_their_creates_give() -> None:
    code = script.build(["API.market.add({})", "API.market.edit({})"], [(0, ReadBack(-55)), (1, ReadBack(-55, 7))])
    assert code == (
        "var a0=API.market.add({});var a1=API.market.edit({});"
        'var r=API.market.getById({"item_ids":"-55_"+a0.market_item_id+","+"-55_7","extended":1});'
        "return [a0,a1,r];"
    )


def test_every_false_takes_the_next_error_of_its_method() -> None:
    full, gone = Fault(1405, "full", "market.add"), Fault(1403, "gone", "market.edit")
    methods = ["market.add", "market.edit", "market.add", "market.edit"]
    assert list(script.faults_of(methods, [{"market_item_id": 1}, 1, False, False], [full, gone])) == [
        None,
        None,
        full,
        gone,
    ]


def test_a_false_without_an_error_has_an_unknown_outcome() -> None:
    assert list(script.faults_of(["market.add"], [False], [])) == [Fault(0, "no error given", "market.add")]


def test_an_error_of_another_method_is_not_taken_for_this_calls() -> None:
    other, own = Fault(6, "", "users.get"), Fault(1405, "", "market.add")
    assert list(script.faults_of(["market.add", "market.add"], [False, 1], [other, own])) == [own, None]


def test_values_that_only_look_false_are_healthy() -> None:
    assert list(script.faults_of(["a", "b", "c"], [0, None, []], [])) == [None, None, None]
