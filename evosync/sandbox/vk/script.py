"""The language of ``execute``, as far as a mirror needs it (VK FACTS 5).

Accepted: ``var name = <expr>;``, ``<call>;``, ``return <expr>;``; expressions are calls ``API.market.add({...})``,
literals, variables, properties ``a.b``, ``+``, and parentheses. Anything else does not compile.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import orjson

from evosync.sandbox.vk.errors import VkError

NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
SPACE = re.compile(r"\s*")
WORDS = frozenset(
    {
        "var",
        "return",
        "API",
        "if",
        "else",
        "while",
        "for",
        "function",
        "delete",
        "new",
        "typeof",
        "true",
        "false",
        "null",
    }
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the code."""

    value: object


@dataclass(frozen=True, slots=True)
class Variable:
    """The value of an earlier ``var``."""

    name: str


@dataclass(frozen=True, slots=True)
class Property:
    """``of.name``; null for anything that has no such property."""

    of: "Node"
    name: str


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call of a method, with an object of parameters."""

    method: str
    argument: "Node"


@dataclass(frozen=True, slots=True)
class Members:
    """An object with computed values."""

    pairs: tuple[tuple[str, "Node"], ...]


@dataclass(frozen=True, slots=True)
class Elements:
    """An array with computed values."""

    values: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """``left + right``: texts are joined, numbers added."""

    left: "Node"
    right: "Node"


Node = Literal | Variable | Property | ApiCall | Members | Elements | Sum


@dataclass(frozen=True, slots=True)
class Statement:
    """``var name = node`` or, with the name None, ``node`` alone; ``last`` marks ``return``."""

    node: Node
    name: str | None = None
    last: bool = False


def _no_constant(text: str) -> object:
    raise ValueError(text)


JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)


class Parser:
    """Reads one script; every fault raises VkError 12, and then nothing of it ran."""

    def __init__(self, code: str) -> None:
        """Start at the beginning."""
        self.code = code
        self.at = 0
        self.names: set[str] = set()

    def wrong(self, what: str) -> VkError:
        """The error that says where reading stopped."""
        line = self.code.count("\n", 0, self.at) + 1
        return VkError(12, f"unexpected {what} in line {line}, column {self.at}")

    def _skip(self) -> None:
        match = SPACE.match(self.code, self.at)
        if match:
            self.at = match.end()

    def _peek(self) -> str:
        self._skip()
        return self.code[self.at : self.at + 1]

    def _take(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self.at += 1
        return True

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self.wrong(f"token, '{sign}' expected")

    def _name(self) -> str:
        self._skip()
        match = NAME.match(self.code, self.at)
        if not match:
            raise self.wrong("token, a name expected")
        self.at = match.end()
        return match[0]

    def _word(self, word: str) -> bool:
        self._skip()
        match = NAME.match(self.code, self.at)
        if not match or match[0] != word:
            return False
        self.at = match.end()
        return True

    def script(self) -> list[Statement]:
        """All statements up to the end."""
        statements: list[Statement] = []
        while self._peek():
            statements.append(self._statement())
        if not statements:
            raise self.wrong("end of an empty script")
        return statements

    def _statement(self) -> Statement:
        if self._word("var"):
            name = self._name()
            if name in WORDS:
                raise self.wrong(f"name '{name}'")
            self._expect("=")
            statement = Statement(self._expression(), name)
            self.names.add(name)
        elif self._word("return"):
            statement = Statement(self._expression(), last=True)
        else:
            node = self._expression()
            if not isinstance(node, ApiCall):
                raise self.wrong("expression without effect")
            statement = Statement(node)
        self._expect(";")
        return statement

    def _expression(self) -> Node:
        node = self._operand()
        while self._take("+"):
            node = Sum(node, self._operand())
        return node

    def _operand(self) -> Node:
        node = self._primary()
        while self._take("."):
            node = Property(node, self._name())
        return node

    def _primary(self) -> Node:
        sign = self._peek()
        if sign == "(":
            self.at += 1
            node = self._expression()
            self._expect(")")
            return node
        if sign and (sign in '"{[-' or sign.isdigit()):
            return self._literal(sign)
        if sign == "'":
            return self._single_quoted()
        return self._named()

    def _literal(self, sign: str) -> Node:
        """Most arguments are plain JSON: the C decoder reads them at once, the rest goes the long way."""
        try:
            value, self.at = JSON.raw_decode(self.code, self.at)
        except (ValueError, RecursionError) as error:
            if sign == "{":
                return self._object()
            if sign == "[":
                return self._array()
            raise self.wrong("literal") from error
        return Literal(value)

    def _single_quoted(self) -> Node:
        end = self.code.find("'", self.at + 1)
        text = self.code[self.at + 1 : end]
        if end < 0 or "\\" in text or "\n" in text:
            raise self.wrong("text in single quotes")
        self.at = end + 1
        return Literal(text)

    def _object(self) -> Node:
        self._expect("{")
        pairs: list[tuple[str, Node]] = []
        while not self._take("}"):
            if pairs:
                self._expect(",")
            pairs.append((self._key(), self._expression()))
        return Members(tuple(pairs))

    def _key(self) -> str:
        if self._peek() == '"':
            node = self._literal('"')
            key = str(node.value) if isinstance(node, Literal) else ""
        else:
            key = self._name()
        self._expect(":")
        return key

    def _array(self) -> Node:
        self._expect("[")
        values: list[Node] = []
        while not self._take("]"):
            if values:
                self._expect(",")
            values.append(self._expression())
        return Elements(tuple(values))

    def _named(self) -> Node:
        name = self._name()
        if name in ("true", "false", "null"):
            return Literal({"true": True, "false": False, "null": None}[name])
        if name == "API":
            return self._call()
        if name not in self.names:
            raise self.wrong(f"name '{name}'")
        return Variable(name)

    def _call(self) -> Node:
        self._expect(".")
        section = self._name()
        self._expect(".")
        method = f"{section}.{self._name()}"
        self._expect("(")
        argument: Node = Literal({})
        if self._peek() != ")":
            argument = self._expression()
        self._expect(")")
        return ApiCall(method, argument)


Invoke = Callable[[str, Mapping[str, str]], Awaitable[object]]
"""Carries out an inner call; the value ``False`` stands for a failed one."""


async def run(statements: list[Statement], invoke: Invoke) -> object:
    """Run a parsed script; the value of ``return``, or None without one.

    Raises:
        VkError: 13 for a fault at run time; what was called before has had its effect.
    """
    variables: dict[str, object] = {}
    for statement in statements:
        value = await _value(statement.node, variables, invoke)
        if statement.last:
            return value
        if statement.name is not None:
            variables[statement.name] = value
    return None


async def _value(node: Node, variables: dict[str, object], invoke: Invoke) -> object:
    value: object
    match node:
        case Literal(value):
            pass
        case Variable(name):
            value = variables[name]
        case ApiCall(method, argument):
            value = await invoke(method, as_params(await _value(argument, variables, invoke)))
        case Property(of, name):
            whole = await _value(of, variables, invoke)
            value = whole.get(name) if isinstance(whole, dict) else None
        case Members(pairs):
            value = {key: await _value(inner, variables, invoke) for key, inner in pairs}
        case Elements(values):
            value = [await _value(inner, variables, invoke) for inner in values]
        case Sum(left, right):
            value = _sum(await _value(left, variables, invoke), await _value(right, variables, invoke))
    return value


def _sum(left: object, right: object) -> object:
    if isinstance(left, str) or isinstance(right, str):
        return _text(left) + _text(right)
    if isinstance(left, int | Decimal) and isinstance(right, int | Decimal):
        return left + right
    raise VkError(13, "wrong types of operands")


def _text(value: object) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, str | int):
        return str(value)
    raise VkError(13, "cannot turn this value into a string")


def as_params(argument: object) -> dict[str, str]:
    """The object of a call as the texts that a form would carry.

    Raises:
        VkError: 13 when the argument is no object or holds something that no parameter can be.
    """
    if not isinstance(argument, dict):
        raise VkError(13, "parameters must be an object")
    return {str(name): _param(value) for name, value in argument.items() if value is not None}


def _param(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return ",".join(_param(part) for part in value)
    if isinstance(value, dict | orjson.Fragment):
        raise VkError(13, "a parameter cannot be an object")
    return _text(value)
