"""The compose files keep to what the README promises of them; no engine is asked."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from evosync.settings import load_settings

ROOT = Path(__file__).parents[2]
SINGLE, SPLIT = "docker-compose.yml", "docker-compose.split.yml"


def compose(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(ROOT / name)
    return loaded


def as_it_comes(value: str) -> str:
    """Where .env says nothing."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


@pytest.mark.parametrize(("file", "service"), [(SINGLE, "app"), (SPLIT, "web"), (SPLIT, "worker")])
def test_the_service_may_do_no_more_than_it_needs(file: str, service: str) -> None:
    ours = compose(file)["services"][service]
    assert ours["read_only"] is True
    assert ours["cap_drop"] == ["ALL"]
    assert ours["security_opt"] == ["no-new-privileges:true"]
    assert ours["depends_on"] == {name: {"condition": "service_healthy"} for name in ("db", "redis")}
    assert all(as_it_comes(port).startswith("127.0.0.1:") for port in ours["ports"]), "only nginx reaches it"


@pytest.mark.parametrize(("file", "service"), [(SINGLE, "app"), (SPLIT, "worker")])
def test_a_stop_waits_longer_than_the_runs_are_given(file: str, service: str) -> None:
    grace = int(compose(file)["services"][service]["stop_grace_period"].removesuffix("s"))
    default = re.search(r"#STOP_GRACE_SECONDS=(\d+)", (ROOT / ".env.example").read_text(encoding="utf-8"))
    assert default is not None
    assert grace >= int(default[1]) + 15, "besides the runs, jobs and requests in hand end too"


def test_nothing_is_lost_by_redis_to_make_room_or_by_a_restart() -> None:
    command = compose(SINGLE)["services"]["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


def test_the_servers_are_the_promised_ones_and_what_lasts_is_in_volumes() -> None:
    services = compose(SINGLE)["services"]
    assert services["db"]["image"] == "mariadb:11.4"
    assert services["redis"]["image"] == "redis:7-alpine"
    assert "--character-set-server=utf8mb4" in services["db"]["command"]
    named = {volume.split(":")[0] for one in services.values() for volume in one["volumes"] if volume[0] != "."}
    assert named == set(compose(SINGLE)["volumes"])
    assert services["app"]["ports"] == ["127.0.0.1:8080:8000"]


def test_the_database_s_password_comes_from_a_variable_or_a_file_and_without_either_nothing_starts() -> None:
    for file, service in ((SINGLE, "app"), (SPLIT, "web"), (SPLIT, "worker")):
        ours = compose(file)["services"][service]
        settings = load_settings(
            {"DATABASE_URL": as_it_comes(ours["environment"]["DATABASE_URL"]), "DATABASE_PASSWORD": "p@ss",
             "HOME": "/nowhere", "REDIS_URL": as_it_comes(ours["environment"]["REDIS_URL"]), "SECRET_KEY": "k"}
        )  # fmt: skip
        assert settings.database_url.get_secret_value().startswith("mysql+aiomysql://evosync:p%40ss@db:3306/evosync")
        assert [each["path"] for each in ours["env_file"]] == [".env"], "where the password or its file is named"
        assert "./secrets:/run/secrets:ro" in ours["volumes"]
    db = compose(SINGLE)["services"]["db"]
    assert "./secrets:/run/secrets:ro" in db["volumes"]
    given = db["environment"]
    assert (given["MARIADB_PASSWORD"], given["MARIADB_PASSWORD_FILE"]) == (
        "${DATABASE_PASSWORD:-}", "${DATABASE_PASSWORD_FILE:-}",
    )  # fmt: skip
    assert ":?" in given["PASSWORD_FROM"]


def test_the_proxy_that_is_believed_is_the_gateway_through_which_nginx_comes() -> None:
    (network,) = compose(SINGLE)["networks"]["default"]["ipam"]["config"]
    for file, service in ((SINGLE, "app"), (SPLIT, "web"), (SPLIT, "worker")):
        believed = compose(file)["services"][service]["environment"]["TRUSTED_PROXIES"]
        assert as_it_comes(believed) == network["gateway"]


def test_no_log_grows_without_bound() -> None:
    ours = [*compose(SINGLE)["services"].values(), *(compose(SPLIT)["services"][name] for name in ("web", "worker"))]
    assert all("max-size" in each["logging"]["options"] for each in ours)


def test_the_split_form_replaces_the_one_process() -> None:
    services = compose(SPLIT)["services"]
    assert services["app"]["profiles"], "left out unless asked for"
    assert (services["web"]["command"], services["worker"]["command"]) == (["web"], ["worker"])
    assert services["worker"]["ports"] == []
    assert (services["web"]["scale"], services["worker"]["scale"]) == ("${WEBS:-2}", "${WORKERS:-3}")
    assert services["web"]["ports"] == ["${WEB_ADDRESS:-127.0.0.1}:${WEB_PORTS:-8080-8081}:8000"], (
        "one for each, so that nginx has all"
    )


def test_the_image_runs_as_nobody_special_and_stops_by_sigterm() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    final = text[text.rindex("FROM ") :]
    assert re.search(r"^USER [1-9]\d+$", final, re.MULTILINE)
    assert "STOPSIGNAL SIGTERM" in final
    assert "HEALTHCHECK" in final
    assert "--require-hashes -r requirements.lock" in text
