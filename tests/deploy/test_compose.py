"""The compose files keep to what the README promises of them; no engine is asked."""

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from ruamel.yaml import YAML

from evosync.db.migrate import _WAIT_SECONDS
from evosync.settings import SettingsError, load_settings
from tests.deploy.dockerfile import stages
from tests.load.machine import AS_SHIPPED

ROOT = Path(__file__).parents[2]
SINGLE, SPLIT = "docker-compose.yml", "docker-compose.split.yml"


def compose(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(ROOT / name)
    return loaded


def filled_in(text: str, environ: Mapping[str, str]) -> str:
    """By Docker's "Interpolation", as far as our files use it; as Compose does it, also in braces that go unused."""
    while (found := re.search(r"\$\{(\w+)(?::([-+?])([^${}]*))?\}", text)) is not None:
        name, how, other = found.groups()
        value = environ.get(name, "")
        if how == "?" and not value:
            raise LookupError(other)
        value = (other if value else "") if how == "+" else value or (how == "-" and other) or ""
        text = text[: found.start()] + value + text[found.end() :]
    return text


def given(file: str, service: str, env_file: str) -> dict[str, str]:
    """The environment of a container where .env says this."""
    written = {name: value or "" for name, value in dotenv_values(stream=StringIO(env_file)).items()}
    ours = compose(file)["services"][service]
    assert [each["path"] for each in ours["env_file"]] == [".env"]
    lines = [filled_in(line, written) for line in ours["environment"]]
    return {"HOME": "/nowhere"} | written | dict(line.split("=", 1) for line in lines)


OURS = [(SINGLE, "app"), (SPLIT, "web"), (SPLIT, "worker")]


@pytest.mark.parametrize(("file", "service"), OURS)
def test_the_service_may_do_no_more_than_it_needs(file: str, service: str) -> None:
    ours = compose(file)["services"][service]
    assert ours["read_only"] is True
    assert ours["cap_drop"] == ["ALL"]
    assert ours["security_opt"] == ["no-new-privileges:true"]
    assert ours["depends_on"] == {name: {"condition": "service_healthy"} for name in ("db", "redis")}
    assert all(filled_in(port, {}).startswith("127.0.0.1:") for port in ours["ports"]), "only nginx reaches it"


@pytest.mark.parametrize(("file", "service"), [(SINGLE, "app"), (SPLIT, "worker")])
def test_a_stop_waits_longer_than_the_runs_are_given(file: str, service: str) -> None:
    grace = int(compose(file)["services"][service]["stop_grace_period"].removesuffix("s"))
    default = re.search(r"#STOP_GRACE_SECONDS=(\d+)", (ROOT / ".env.example").read_text(encoding="utf-8"))
    assert default is not None
    assert grace >= 2 * int(default[1]) + 15, "runs that are cancelled end too, and jobs and requests in hand"


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


def test_what_mariadb_acknowledged_outlasts_a_power_cut() -> None:
    assert "--innodb-flush-log-at-trx-commit=1" in compose(SINGLE)["services"]["db"]["command"]


def test_the_load_is_measured_on_mariadb_as_it_is_shipped() -> None:
    """The character set, which goes without saying there, is that of the collation."""
    command = compose(SINGLE)["services"]["db"]["command"]
    apart = {"--character-set-server=utf8mb4"}
    assert set(command) - apart == set(AS_SHIPPED) - apart


@pytest.mark.parametrize(("file", "service"), OURS)
def test_the_database_s_password_comes_from_a_variable_or_a_file(file: str, service: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p@ss\n")
    for written in ("DATABASE_PASSWORD=p@ss", f"DATABASE_PASSWORD_FILE={tmp_path}/password"):
        settings = load_settings(given(file, service, f"{written}\nSECRET_KEY=k"))
        assert settings.database_url.get_secret_value().startswith("mysql+aiomysql://evosync:p%40ss@db:3306/evosync")
    assert "./secrets:/run/secrets:ro" in compose(file)["services"][service]["volumes"]


@pytest.mark.parametrize(("file", "service"), OURS)
def test_where_the_servers_are_comes_from_a_variable_or_a_file_and_else_they_are_those_beside_the_service(
    file: str, service: str, tmp_path: Path
) -> None:
    addresses = {"DATABASE_URL": "mysql://a:b@c/d", "REDIS_URL": "redis://e:6379/0"}
    by_name = [f"{name}={url}" for name, url in addresses.items()]
    by_file = [f"{name}_FILE={tmp_path / name}" for name in addresses]
    for name, url in addresses.items():
        (tmp_path / name).write_text(f"{url}\n")

    def found(*written: str) -> tuple[str, str]:
        settings = load_settings(given(file, service, "\n".join(["SECRET_KEY=k", *written])))
        assert settings.redis_url is not None
        database = settings.database_url.get_secret_value()
        return database.removesuffix("?charset=utf8mb4"), settings.redis_url.get_secret_value()

    theirs = ("mysql+aiomysql://a:b@c/d", "redis://e:6379/0")
    assert found() == ("mysql+aiomysql://evosync@db:3306/evosync", "redis://redis:6379/0")
    assert found("DATABASE_URL_FILE=", "REDIS_URL=") == found()
    assert (found(*by_name), found(*by_file)) == (theirs, theirs)
    assert found(by_file[0], by_name[1]) == theirs
    with pytest.raises(SettingsError, match="keep one of them"):
        found(*by_name, *by_file)


def test_the_database_takes_either_password_and_without_one_it_is_not_made() -> None:
    db = compose(SINGLE)["services"]["db"]
    assert "./secrets:/run/secrets:ro" in db["volumes"]
    names = ("MARIADB_PASSWORD", "MARIADB_PASSWORD_FILE", "MARIADB_RANDOM_ROOT_PASSWORD")

    def asked(**env_file: str) -> tuple[str, ...]:
        filled_in((ROOT / SINGLE).read_text(encoding="utf-8"), env_file)  # nothing in it refuses them
        return tuple(filled_in(db["environment"][name], env_file) for name in names)

    assert asked(DATABASE_PASSWORD="secret") == ("secret", "", "1")
    assert asked(DATABASE_PASSWORD_FILE="/run/secrets/a") == ("", "/run/secrets/a", "1")
    assert asked() == ("", "", ""), "MariaDB's image wants one of the root's passwords before it makes anything"


def test_a_root_password_that_the_log_shows_opens_nothing_from_the_network() -> None:
    services = [one for file in (SINGLE, SPLIT) for one in compose(file)["services"].values()]
    written = [environ for one in services if isinstance(environ := one.get("environment"), dict)]
    random = [environ for environ in written if "MARIADB_RANDOM_ROOT_PASSWORD" in environ]
    assert [environ.get("MARIADB_ROOT_HOST") for environ in random] == ["localhost"]


def test_the_proxy_that_is_believed_is_the_gateway_through_which_nginx_comes() -> None:
    (network,) = compose(SINGLE)["networks"]["default"]["ipam"]["config"]
    for file, service in OURS:
        assert given(file, service, "")["TRUSTED_PROXIES"] == network["gateway"]


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


def test_who_waits_for_another_one_s_migrations_is_not_called_ill_meanwhile() -> None:
    given = re.search(r"--start-period=(\d+)s", stages()[-1].said("HEALTHCHECK"))
    assert given is not None
    starts = [int(given[1])]
    for file, service in OURS:
        own = compose(file)["services"][service].get("healthcheck", {}).get("start_period")
        starts += [int(own.removesuffix("s"))] if own is not None else []
    assert len(starts) == 3
    assert min(starts) > _WAIT_SECONDS
    for script in ("update.sh", "rollback.sh"):
        waits = re.findall(r"--wait --wait-timeout (\d+)", (ROOT / "deploy" / script).read_text(encoding="utf-8"))
        assert waits
        assert min(map(int, waits)) > max(starts) + 3 * 40, "nor given up before it could be called ill"
