"""Settings: what is read, what it becomes, and how mistakes are told."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from evosync import resources
from evosync.settings import Settings, SettingsError, is_loopback, load_settings, names

ROOT = Path(__file__).resolve().parent.parent
KEY = "k3y-with-enough-different-characters-0123456789"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def mistakes(error: SettingsError) -> dict[str, str]:
    return {problem.name: str(problem) for problem in error.problems}


def refused(environ: dict[str, str], env_file: Path | None = None, **overrides: object) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, env_file, **overrides)
    return mistakes(caught.value)


def test_with_nothing_set_everything_is_embedded(home: dict[str, str], tmp_path: Path) -> None:
    settings = load_settings(home)
    data_dir = tmp_path / ".local/share/evosync"
    assert settings.data_dir == data_dir
    assert settings.database_url.get_secret_value() == f"sqlite+aiosqlite:///{data_dir}/evosync.sqlite3"
    assert settings.redis_url is None
    assert settings.base_url == "http://localhost:8000"
    assert not settings.is_public
    assert settings.vk_default_photo_path == resources.default_photo()


def test_the_issue_s_defaults(home: dict[str, str]) -> None:
    settings = load_settings(home)
    assert (settings.vk_api_version, settings.catalog_refresh_interval_seconds) == ("5.199", 3600)
    assert (settings.vk_category_id, settings.vk_stock_amount, settings.vk_weight_price_multiplier) == (40932, 1000, 10)
    assert (settings.vk_requests_per_second, settings.vk_batch_limit, settings.vk_adds_per_day) == (3, 25, None)
    assert (settings.evotor_api_url, settings.vk_api_url) == ("https://api.evotor.ru", "https://api.vk.com/method")
    assert (settings.invite_expire_hours, settings.email_provider, settings.sms_provider) == (48, "console", "console")


def test_the_key_made_here_is_private_and_stays(home: dict[str, str]) -> None:
    first, second = load_settings(home), load_settings(home)
    assert first.secret_key == second.secret_key
    assert len(first.secret_key.get_secret_value()) >= 32
    [kept] = [path for path in first.data_dir.iterdir() if path.is_file()]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.data_dir.stat().st_mode) == 0o700


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    script = (
        "import os; from evosync.settings import load_settings as l; print(l(os.environ).secret_key.get_secret_value())"
    )
    environ = os.environ | {"EVOSYNC_DATA_DIR": str(tmp_path / "data")}
    started = [
        subprocess.Popen([sys.executable, "-c", script], env=environ, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in started}) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret.key"]


def test_a_production_process_writes_nothing_to_the_data_directory(home: dict[str, str], tmp_path: Path) -> None:
    load_settings(
        home | {"SECRET_KEY": KEY, "DATABASE_URL": "mysql://u:p@db/shop", "REDIS_URL": "redis://redis:6379/0"}
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["mysql", "mysql+pymysql", "mysql+aiomysql", "mariadb", "mariadb+pymysql"])
def test_every_spelling_of_mariadb_is_read_as_aiomysql_in_utf8mb4(home: dict[str, str], scheme: str) -> None:
    settings = load_settings(home | {"DATABASE_URL": f"{scheme}://user:p%40ss@db:3307/shop"})
    assert settings.database_url.get_secret_value() == "mysql+aiomysql://user:p%40ss@db:3307/shop?charset=utf8mb4"


def test_sqlite_gets_its_driver(home: dict[str, str]) -> None:
    settings = load_settings(home | {"DATABASE_URL": "sqlite:////srv/shop.db"})
    assert settings.database_url.get_secret_value() == "sqlite+aiosqlite:////srv/shop.db"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:hunter22@h/d", "not supported"),
        ("mysql://u:hunter22@h", "name the database"),
        ("mysql://u:hunter22@h/d?charset=utf8", "always utf8mb4"),
        ("hunter22", "mysql://USER"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_without_showing_its_password(
    home: dict[str, str], url: str, said: str
) -> None:
    problem = refused(home | {"DATABASE_URL": url})["DATABASE_URL"]
    assert said in problem
    assert "hunter22" not in problem


def test_the_address_follows_domain_port_and_base_url(home: dict[str, str]) -> None:
    assert load_settings(home, port=8123).base_url == "http://localhost:8123"
    public = home | {"SECRET_KEY": KEY, "DOMAIN": "Shop.Example.ru"}
    assert load_settings(public).base_url == "https://shop.example.ru"
    assert load_settings(public | {"BASE_URL": "https://other.example.ru/"}).base_url == "https://other.example.ru"


@pytest.mark.parametrize("key", ["", "short", "change-me", "k" * 40])
def test_a_public_service_refuses_a_missing_default_or_short_key(home: dict[str, str], key: str) -> None:
    problem = refused(home | {"DOMAIN": "shop.example.ru", "SECRET_KEY": key})["SECRET_KEY"]
    assert "public" in problem
    assert key == "" or key not in problem


def test_the_real_vk_is_given_time_to_settle_and_an_imitation_need_not_be(home: dict[str, str]) -> None:
    assert "at least 30" in refused(home | {"VK_SETTLE_SECONDS": "29"})["VK_SETTLE_SECONDS"]
    imitated = home | {"VK_API_URL": "http://127.0.0.1:8001/vk/method", "VK_SETTLE_SECONDS": "0.5"}
    assert load_settings(imitated).vk_settle_seconds == 0.5


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("shop.localhost", True),
        ("127.0.0.9", True),
        ("[::1]", True),
        ("0.0.0.0", False),  # noqa: S104 - nothing listens here
        ("10.0.0.1", False),
        ("localhost.example.ru", False),
    ],
)
def test_only_loopback_hosts_are_private(host: str, loopback: bool) -> None:  # noqa: FBT001 - a parameter of the table
    assert is_loopback(host) is loopback


def test_all_mistakes_are_told_at_once(home: dict[str, str], tmp_path: Path) -> None:
    written = tmp_path / ".env"
    written.write_text("VK_BATCH_LIMT=5\nLOG_LEVEL=LOUD\n")
    told = refused(
        home
        | {
            "VK_BATCH_LIMIT": "99",
            "EVOSYNC_PORT": "http",
            "DOMAIN": "https://shop.example.ru",
            "REDIS_URL": "localhost:6379",
            "VK_API_URL": "http://api.vk.com/method",
            "VK_DEFAULT_PHOTO_PATH": "/nowhere.png",
            "SECRET_KEY_FILE": "/nowhere.key",
        },
        written,
    )
    assert set(told) >= {
        "DOMAIN",
        "EVOSYNC_PORT",
        "LOG_LEVEL",
        "REDIS_URL",
        "SECRET_KEY_FILE",
        "VK_API_URL",
        "VK_BATCH_LIMIT",
        "VK_BATCH_LIMT",
        "VK_DEFAULT_PHOTO_PATH",
    }
    assert told["VK_BATCH_LIMIT"] == "VK_BATCH_LIMIT (now '99'): must be less than or equal to 25"
    assert told["EVOSYNC_PORT"] == "EVOSYNC_PORT (now 'http'): must be a whole number"
    assert told["VK_BATCH_LIMT"].endswith("is it VK_BATCH_LIMIT?")


def test_an_override_with_a_mistake_is_told_like_a_setting(home: dict[str, str]) -> None:
    assert "EVOSYNC_PORT" in refused(home, port=99999)


def test_a_secret_may_come_from_a_file(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    settings = load_settings(home | {"SECRET_KEY_FILE": str(tmp_path / "key")})
    assert settings.secret_key.get_secret_value() == KEY


def test_the_database_s_password_may_come_apart_and_from_a_file(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p@ss/word:1\n")
    apart = home | {"DATABASE_URL": "mysql://evosync@db/evosync", "DATABASE_PASSWORD_FILE": str(tmp_path / "password")}
    settings = load_settings(apart)
    assert make_url(settings.database_url.get_secret_value()).password == "p@ss/word:1"
    assert "p@ss/word:1" in settings.hidden
    within = load_settings(apart | {"DATABASE_URL": "mysql://evosync:own@db/evosync"})
    assert make_url(within.database_url.get_secret_value()).password == "own", "the address itself comes first"
    assert load_settings(home | {"DATABASE_PASSWORD": "x"}).database_url.get_secret_value().startswith("sqlite")


def test_a_secret_from_both_places_is_a_mistake(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    assert "keep one" in refused(home | {"SECRET_KEY": KEY, "SECRET_KEY_FILE": str(tmp_path / "key")})["SECRET_KEY"]


def test_the_environment_wins_over_the_file_and_an_empty_variable_is_unset(
    home: dict[str, str], tmp_path: Path
) -> None:
    written = tmp_path / ".env"
    written.write_text("MAX_RUNS=5\nVK_STOCK_AMOUNT=7\nROOT_GROUP_TITLE=Всё $5\n", encoding="utf-8")
    settings = load_settings(home | {"MAX_RUNS": "6", "VK_STOCK_AMOUNT": ""}, written)
    assert (settings.max_runs, settings.root_group_title) == (6, "Всё $5")
    assert settings.vk_stock_amount == 1000


def test_previous_secrets_are_a_list_or_one_that_holds_a_comma(home: dict[str, str]) -> None:
    settings = load_settings(home | {"SECRET_KEY_PREVIOUS": "one, two", "EVOTOR_WEBHOOK_SECRET_PREVIOUS": "old"})
    assert [secret.get_secret_value() for secret in settings.secret_key_previous] == ["one, two", "one", "two"]
    assert [secret.get_secret_value() for secret in settings.evotor_webhook_secret_previous] == ["old"]


@pytest.mark.parametrize(("text", "limit"), [("unlimited", None), ("Unlimited", None), ("300", 300)])
def test_adds_a_day_are_a_number_or_unlimited(home: dict[str, str], text: str, limit: int | None) -> None:
    assert load_settings(home | {"VK_ADDS_PER_DAY": text}).vk_adds_per_day == limit


@pytest.mark.parametrize("typed", ["https://market.evotor.ru/store/apps/2a3b", "мой", "a b"])
def test_what_cannot_be_an_application_s_id_is_told(home: dict[str, str], typed: str) -> None:
    assert "EVOTOR_APP_ID" in refused(home | {"EVOTOR_APP_ID": typed})


def test_flower_s_settings_are_answered_with_the_queue_page(home: dict[str, str]) -> None:
    [notice] = load_settings(home | {"FLOWER_USER": "admin", "FLOWER_PASSWORD": "pass"}).notices
    assert "http://localhost:8000/admin/queue" in notice


def test_a_public_service_whose_letters_reach_nobody_says_so(home: dict[str, str]) -> None:
    settings = load_settings(home | {"DOMAIN": "shop.example.ru", "SECRET_KEY": KEY})
    assert any("EMAIL_PROVIDER" in notice for notice in settings.notices)


def test_no_secret_shows_when_settings_are_printed(home: dict[str, str]) -> None:
    secrets = {
        "SECRET_KEY": KEY,
        "SECRET_KEY_PREVIOUS": "earlier-key",
        "EVOTOR_WEBHOOK_SECRET": "hook-secret",
        "DATABASE_URL": "mysql://u:db-secret@h/d",
        "REDIS_URL": "redis://:redis-secret@h",
        "FLOWER_PASSWORD": "flower-secret",
    }
    settings = load_settings(home | secrets)
    hidden = [KEY, "earlier-key", "hook-secret", "db-secret", "redis-secret", "flower-secret"]
    assert [text for text in hidden if text in repr(settings) or text in str(settings)] == []
    assert set(settings.hidden) == set(hidden)


def test_settings_do_not_change(home: dict[str, str]) -> None:
    settings = load_settings(home)
    with pytest.raises(ValidationError):
        settings.max_runs = 1  # type: ignore[misc]  # that is the mistake under test


def test_a_data_directory_that_cannot_be_made_is_told(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be used" in refused(home | {"EVOSYNC_DATA_DIR": str(tmp_path / "file")})["EVOSYNC_DATA_DIR"]


def documented() -> dict[str, str]:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^#?([A-Z][A-Z_]+)=(.*)$", text, re.MULTILINE))


def test_the_example_documents_every_setting_and_nothing_else() -> None:
    files = [(ROOT / name).read_text(encoding="utf-8") for name in ("docker-compose.yml", "docker-compose.split.yml")]
    deployment = {name for text in files for name in re.findall(r"\$\{([A-Z_]+)", text)}
    assert set(documented()) == names() | deployment | {"COMPOSE_FILE", "UPSTREAM"}


def test_the_values_in_the_example_are_the_defaults(home: dict[str, str]) -> None:
    elsewhere = {"DOMAIN", "BASE_URL", "EVOSYNC_DATA_DIR"}
    shown = {name: value for name, value in documented().items() if value and name not in elsewhere}
    assert load_settings(home | shown) == load_settings(home)


def test_the_picture_that_comes_along_fits_vk_and_is_small() -> None:
    data = resources.default_photo().read_bytes()
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    assert len(data) <= 20 * 1024
    assert min(width, height) >= 800


def test_every_field_has_a_name_of_its_own() -> None:
    assert len(names()) == len(Settings.model_fields)
