"""Bodies made of the official reference's own examples are understood; its files are not copied."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it comes with no types

from tests.webhooks.cloud import SECRET, STORE, Cloud

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "contracts" / "evotor" / "swagger-v1"
OURS = "/partner.ru"
BY_SECRET = ("/user/", "/subscription/event", "/installation/event")
OTHERWISE = {
    "/api/v1/user/verify": (401, 1006),  # nobody of that name has an account
    "/api/v1/commodities": (404, None),  # there is no lookup here
}


@cache
def read(name: str) -> Any:
    with (FOLDER / name).open(encoding="utf-8") as file:
        return yaml.safe_load(file)


def routes() -> Iterator[tuple[str, str]]:
    if FOLDER.is_dir():
        for path, operations in read("paths.yaml").items():
            if path.startswith(OURS):
                yield from ((path.removeprefix(OURS), name) for name in operations if name in {"get", "put", "post"})


def followed(schema: Any, file: str) -> tuple[Any, str]:
    """What a `$ref` stands for, and in which file it was found."""
    while isinstance(schema, Mapping) and "$ref" in schema:
        name, _, place = schema["$ref"].partition("#/")
        file = name.removeprefix("./") or file
        schema = read(file)
        for part in place.split("/"):
            schema = schema[part]
    return schema, file


def example(schema: Any, file: str, depth: int = 0) -> Any:
    """A value that the schema describes, of its own examples as far as it gives any."""
    schema, file = followed(schema, file)
    if not isinstance(schema, Mapping) or depth > 12:
        return None
    given = [schema[name] for name in ("example", "default") if name in schema] + schema.get("enum", [])[:1]
    if given:
        return given[0]
    if "allOf" in schema:
        parts = [example(part, file, depth + 1) for part in schema["allOf"]]
        plain = [part for part in parts if not isinstance(part, dict) and part is not None]
        return plain[0] if plain else {name: value for part in parts for name, value in (part or {}).items()}
    if isinstance(schema.get("properties"), Mapping):  # in one place it is empty
        return {name: example(part, file, depth + 1) for name, part in schema["properties"].items()}
    if "items" in schema:
        return [example(schema["items"], file, depth + 1)]
    return {"string": "text", "integer": 1, "number": 1.5, "boolean": False}.get(schema.get("type", ""), {})


def body_of(operation: Mapping[str, Any]) -> Any:
    for parameter in operation.get("parameters", ()):
        found, file = followed(parameter, "paths.yaml")
        if isinstance(found, Mapping) and found.get("in") == "body":
            return example(found["schema"], file)
    return None


def kinds(base: str) -> Iterator[str]:
    """Definitions that say more of this one; their name is the value of its `type`."""
    if FOLDER.is_dir():
        for name, schema in read("definitions.yaml").items():
            parts = schema.get("allOf", ()) if isinstance(schema, Mapping) else ()
            if any(part.get("$ref") == f"#/{base}" for part in parts if isinstance(part, Mapping)):
                yield name


CASES = [
    *((path, method, "") for path, method in routes() if not path.endswith("/installation/event")),
    *(("/api/v2/installation/event", "post", kind) for kind in kinds("appevents")),
    *(("/api/v1/subscription/event", "post", kind) for kind in kinds("subscriptionevents")),
    *(("/api/v1/inventories/stores/{storeUuid}/documents", "put", kind) for kind in kinds("document2")),
    *(("/api/v1/inventories/stores/{storeUuid}/products", "post", kind) for kind in kinds("product")),
]


@pytest.mark.parametrize(("path", "method", "kind"), CASES or [("", "", "")])
async def test_the_reference_s_own_examples_are_understood(cloud: Cloud, path: str, method: str, kind: str) -> None:
    if not path:
        pytest.skip("the contracts are not beside the repository")
    body = body_of(read("paths.yaml")[OURS + path][method])
    if kind:
        one = {**example({"$ref": f"#/{kind}"}, "definitions.yaml"), "type": kind}
        body = [one] if "inventories" in path else one
    rows = body if isinstance(body, list) else [body or {}]
    user = rows[0].get("userId") or example({"$ref": "#/userId"}, "definitions.yaml")
    token = await cloud.owner(till_user=user, stock="till")
    shown = SECRET if any(name in path for name in BY_SECRET) else token
    reply = await cloud.call(path.replace("{storeUuid}", STORE), body, method=method.upper(), token=shown)
    assert reply.code == OTHERWISE.get(path, (200, None)), body
