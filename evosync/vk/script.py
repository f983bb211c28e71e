"""Code for `execute`: several calls in one request (VK FACTS 5).

Only what surely is in VK's language is used: calls with object literals, variables, property access,
`+` between strings, one `return`. Values are JSON literals; no text is ever pasted in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from evosync.vk.faults import Fault

Params = Mapping[str, str | int]

_ESCAPES = (("\u2028", "\\u2028"), ("\u2029", "\\u2029"), ("</", "<\\/"))
"""Legal in JSON, but a line break or the end of a script to some readers of JavaScript."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """An item to be read back in the same call; `item` is None for the one that the call creates."""

    owner: int
    item: int | None = None


def literal(value: str | int | Params) -> str:
    """A JSON literal. Half a surrogate pair, which is no text, becomes a question mark."""
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        if not isinstance(value, Mapping):
            return literal(str(value).encode(errors="replace").decode())
        return "{" + ",".join(f"{literal(key)}:{literal(each)}" for key, each in value.items()) + "}"
    for plain, escaped in _ESCAPES:
        if plain in text:
            text = text.replace(plain, escaped)
    return text


def build(calls: Sequence[str], read_back: Sequence[tuple[int, ReadBack]] = ()) -> str:
    """Runs `calls` (`API.` and so on) in order and returns the list of their values.

    With `read_back` (position of a call, item) one more value follows: `market.getById` of these
    items. If a create among them failed, its id is missing there, and that call fails as well.
    """
    lines = [f"var a{number}={each};" for number, each in enumerate(calls)]
    names = [f"a{number}" for number in range(len(calls))]
    if read_back:
        ids = '+","+'.join(_item_id(number, back) for number, back in read_back)
        lines.append(f'var r=API.market.getById({{"item_ids":{ids},"extended":1}});')
        names.append("r")
    return "".join(lines) + f"return [{','.join(names)}];"


def _item_id(number: int, back: ReadBack) -> str:
    if back.item is not None:
        return literal(f"{back.owner}_{back.item}")
    return f"{literal(f'{back.owner}_')}+a{number}.market_item_id"


def faults_of(methods: Sequence[str], values: Sequence[object], faults: Sequence[Fault]) -> Iterator[Fault | None]:
    """For each call its fault, None where it went well.

    A failed call yields `false`, and the errors come in the order in which calls ran. A `false` for
    which no error of its method is left gets one with code 0: its outcome is not known.
    """
    left = list(faults)
    for method, value in zip(methods, values, strict=True):
        if value is not False:
            yield None
            continue
        number = next((n for n, fault in enumerate(left) if fault.method in {"", method}), None)
        if number is None:
            yield Fault(0, "no error given", method)
        else:
            yield left[number]
            del left[: number + 1]
