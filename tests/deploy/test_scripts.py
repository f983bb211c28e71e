"""The scripts of a new server fail loudly, can be repeated, and never run what stands in .env."""

import gzip
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from dotenv import dotenv_values

from evosync.settings import load_settings
from tests.deploy import front
from tests.services import free_ports

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
START = "compose up -d --no-build --pull never --wait --wait-timeout 900"


class Machine:
    """A folder of commands that note how they were called, before those of the system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.env_file = folder / ".env"
        self.calls = folder / "calls"
        self.calls.touch()
        self.scripts = DEPLOY

    def command(self, name: str, body: str = "") -> None:
        file = self.bin / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{body}\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def run(self, script: str, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        environ = {
            "PATH": f"{self.bin}:{os.environ['PATH']}", "ENV_FILE": str(self.env_file), "HOME": str(self.folder),
            "ACME": str(self.folder / "acme"), "NGINX_CONF": str(self.folder / "nginx" / "evosync.conf"),
            "LETSENCRYPT": str(self.folder / "letsencrypt"), **more,
        }  # fmt: skip
        command = [str(self.scripts / script), *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    live = tmp_path / "letsencrypt" / "live" / "shop.example.ru"
    machine.command("nginx")
    machine.command("certbot", f'mkdir -p "{live}"; touch "{live}/fullchain.pem" "{live}/privkey.pem"')
    return machine


@pytest.mark.parametrize("script", ["certificate.sh", "nginx.sh"])
@pytest.mark.parametrize("written", ["", "#DOMAIN=shop.example.ru\n", "DOMAIN=\n"])
def test_without_a_domain_nothing_is_done_and_it_is_said(machine: Machine, script: str, written: str) -> None:
    machine.env_file.write_text(written)
    done = machine.run(script)
    assert done.returncode == 2
    assert "DOMAIN is not set" in done.stderr
    assert machine.calls.read_text() == ""


def test_the_certificate_is_got_for_the_domain_and_nginx_is_put_in_front(machine: Machine) -> None:
    machine.env_file.write_text("DOMAIN='shop.example.ru'\nSUPPORT_EMAIL=help@example.ru\n")
    for _ in range(2):
        done = machine.run("certificate.sh")
        assert done.returncode == 0, done.stderr
    conf = (machine.folder / "nginx" / "evosync.conf").read_text()
    assert "server_name shop.example.ru;" in conf
    assert f"{machine.folder}/letsencrypt/live/shop.example.ru/fullchain.pem" in conf
    calls = machine.calls.read_text().splitlines()
    asked = [call for call in calls if call.startswith("certbot")]
    assert len(asked) == 2
    assert all("--keep-until-expiring" in call and "--domain shop.example.ru" in call for call in asked)
    assert all("--email help@example.ru" in call for call in asked)


def test_the_first_start_goes_well_beside_debian_s_own_site(machine: Machine) -> None:
    nginx, (http, https) = front.program(), free_ports(2)
    front.certificate(machine.folder)
    conf = front.laid_out(machine.folder, "")
    front.stock_site(machine.folder, http)
    log = f'sed "s|/var/log/nginx|{machine.folder}|" "$NGINX_CONF" >"{machine.folder}/conf.d/evosync.conf"'
    machine.command("nginx", f'case "$1" in -t) {log}; exec {nginx} "$@" -c "{conf}" -p "{machine.folder}";; esac')
    live = machine.folder / "letsencrypt" / "live" / front.NAME
    machine.command("certbot", f'mkdir -p "{live}"; cp "{machine.folder}"/*.pem "{live}"')
    machine.env_file.write_text(
        f"DOMAIN={front.NAME}\nHTTP_PORT=127.0.0.1:{http}\nHTTPS_PORT=127.0.0.1:{https}\nUPSTREAM=127.0.0.1:9\n"
    )
    done = machine.run("certificate.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.calls.read_text().count("nginx -t") == 2, "for the check of the certificate, and with it"
    assert f"listen 127.0.0.1:{https} ssl" in (machine.folder / "nginx" / "evosync.conf").read_text()


@pytest.mark.parametrize("host", ["fe80 eth0\n", ""])
def test_nginx_listens_on_ipv6_where_the_host_has_it(machine: Machine, host: str) -> None:
    addresses = machine.folder / "if_inet6"
    addresses.write_text(host)
    said = {}
    for http in ("80", "127.0.0.1:80"):
        done = machine.run("nginx.sh", DOMAIN="shop.example.ru", HTTP_PORT=http, IF_INET6=str(addresses))
        said[http] = ("listen [::]:80;" in done.stdout, done.stdout.count("listen [::]:443 ssl http2;"))
    assert said == {"80": (bool(host), 2 if host else 0), "127.0.0.1:80": (False, 2 if host else 0)}


@pytest.mark.parametrize(
    ("version", "https"),
    [("nginx/1.22.1", "listen 443 ssl http2;"), ("nginx/1.25.0", "listen 443 ssl http2;"),
     ("nginx/1.25.1", "listen 443 ssl; http2 on;"), ("nginx/1.31.0 (Ubuntu)", "listen 443 ssl; http2 on;"),
     ("nginx/2.0.0", "listen 443 ssl; http2 on;"), ("", "listen 443 ssl http2;")],
)  # fmt: skip
def test_http_2_is_asked_for_as_this_nginx_wants_it(machine: Machine, version: str, https: str) -> None:
    machine.command("nginx", f'[ "$1" = -v ] && echo "nginx version: {version}" >&2' if version else "exit 127")
    done = machine.run("nginx.sh", DOMAIN="shop.example.ru", IF_INET6="/dev/null")
    listens = re.findall(r"^ *(listen 443 .*)$", done.stdout, re.MULTILINE)
    assert (done.returncode, listens, done.stdout.count("http2")) == (0, [https, https], 2)


@pytest.mark.parametrize(
    ("written", "servers"),
    [("", ["127.0.0.1:8080"]), ("UPSTREAM=127.0.0.1:9000\n", ["127.0.0.1:9000"]),
     ("UPSTREAM=127.0.0.1:8080, 127.0.0.1:8081\n", ["127.0.0.1:8080", "127.0.0.1:8081"])],
)  # fmt: skip
def test_the_processes_behind_nginx_are_those_of_the_env_file(
    machine: Machine, written: str, servers: list[str]
) -> None:
    machine.env_file.write_text(f"DOMAIN={front.NAME}\n{written}")
    for _ in range(2):
        assert machine.run("certificate.sh").returncode == 0
        conf = (machine.folder / "nginx" / "evosync.conf").read_text()
        upstream = conf.partition("upstream evosync {")[2].partition("}")[0]
        assert re.findall(r"server\s+(\S+);", upstream) == servers


def test_a_configuration_that_nginx_refuses_is_taken_back(machine: Machine) -> None:
    machine.env_file.write_text("DOMAIN=shop.example.ru\n")
    conf = machine.folder / "nginx" / "evosync.conf"
    conf.parent.mkdir()
    conf.write_text("what worked before")
    machine.command("nginx", "exit 1")
    done = machine.run("certificate.sh")
    assert done.returncode == 2
    assert "nothing was changed" in done.stderr
    assert conf.read_text() == "what worked before"


@pytest.mark.parametrize("body", ["exit 1", "exit 0"])
def test_where_no_certificate_is_got_what_worked_before_is_back(machine: Machine, body: str) -> None:
    machine.env_file.write_text("DOMAIN=other.example.ru\n")
    conf = machine.folder / "nginx" / "evosync.conf"
    conf.parent.mkdir()
    conf.write_text("what worked before")
    machine.command("certbot", f'cp "{conf}" "{machine.folder}/during"; {body}')
    done = machine.run("certificate.sh")
    assert done.returncode == 2
    assert "return 503" in (machine.folder / "during").read_text()
    assert (conf.read_text(), [file.name for file in conf.parent.iterdir()]) == ("what worked before", [conf.name])
    assert "the configuration of before is back" in done.stderr
    assert machine.calls.read_text().splitlines()[-2:] == ["nginx -t -q", "nginx -s reload"]


def test_a_former_configuration_that_nginx_refuses_by_now_is_kept_and_does_not_stop_nginx(machine: Machine) -> None:
    machine.env_file.write_text("DOMAIN=other.example.ru\n")
    conf = machine.folder / "nginx" / "evosync.conf"
    conf.parent.mkdir()
    conf.write_text("its certificate is gone")
    machine.command("nginx", f'[ "$1" != -t ] || ! grep -q gone "{conf}"')
    machine.command("certbot", "exit 1")
    kept = conf.with_name("evosync.conf.before")
    for _ in range(2):
        done = machine.run("certificate.sh")
        assert (done.returncode, f"it is kept as {kept}" in done.stderr) == (2, True)
        assert "return 503" in conf.read_text()
        assert kept.read_text() == "its certificate is gone"
    live = machine.folder / "letsencrypt" / "live" / "other.example.ru"
    machine.command("certbot", f'mkdir -p "{live}"; touch "{live}/fullchain.pem"')
    done = machine.run("certificate.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert "server_name other.example.ru;" in conf.read_text()
    assert [file.name for file in conf.parent.iterdir()] == [conf.name]


def said(machine: Machine, call: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """What a function of read_env.sh answers."""
    environ = {"PATH": os.environ["PATH"], "ENV_FILE": str(machine.env_file)}
    command = ["bash", "-euc", f'source "{DEPLOY}/read_env.sh"; {call} "$@"', "-", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=10, check=False)


@pytest.mark.parametrize(
    "written",
    ["X=a # note", "X=a#b", "X=a\t#note", "X=#b", "X= # note", "X=", "X=''", 'X=""', "X='a # b'  # note", "X=it's",
     'X="a # b"#note', "  export X = a b ", "X=a\r", "X='a'\r", "X='it\\'s'", r'X="say \"so\""', r"X='a\\b\c'",
     r'X="a\\b\c\t.\d"', "X=a\nX=b", "X='$a'", "X='ёж 🦔'", "Y=1\n#X=2", r"X=a\b", "X=a 'b'", "X='a\"b'", "X=' a '",
     r"X='a\\' # b"],
)  # fmt: skip
def test_the_scripts_read_the_env_file_as_the_service_does(machine: Machine, written: str) -> None:
    machine.env_file.write_bytes(f"{written}\n".encode())
    expected = (dotenv_values(machine.env_file, interpolate=False).get("X") or "").strip()
    done = said(machine, "setting", "X")
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


@pytest.mark.parametrize(
    ("written", "why"),
    [("X=a$b", "single quotes"), ('X="a$b"', "single quotes"), ("X='a", "do not close"), ('X="a\n b"', "do not close"),
     ("X='a'b", "do not close")],
)  # fmt: skip
def test_what_compose_reads_otherwise_or_nobody_can_read_is_refused_loudly(
    machine: Machine, written: str, why: str
) -> None:
    machine.env_file.write_text(f"{written}\n")
    done = said(machine, "setting", "X")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"X in {machine.env_file}" in done.stderr
    assert why in done.stderr


def compose_reads(line: str) -> str:
    """By Docker's "Syntax for environment files": quotes close where they open, nothing is escaped in what we write."""
    value = line.partition("=")[2]
    quote, text = value[0], value[1:-1]
    assert quote in "'\""
    assert value[-1] == quote
    assert quote not in text
    assert quote == "'" or not set(text) & set("$\\")
    return text


@pytest.mark.parametrize(
    "key", ["plain", "a$b", "a${b}", "a #b", "#a", "with  blanks", 'a"b', "it's # so", r"a\b$", "ёж 🦔", ""]
)
def test_a_key_is_written_so_that_compose_the_service_and_the_scripts_read_the_same(machine: Machine, key: str) -> None:
    line = f"X={said(machine, 'quoted', key).stdout}"
    machine.env_file.write_text(f"{line}\n")
    assert dotenv_values(machine.env_file, interpolate=False)["X"] == key
    assert said(machine, "setting", "X").stdout == key
    assert compose_reads(line) == key


@pytest.mark.parametrize("key", ["a\\\\b", "a\\", "a\nb", "a'\"b", "a'$b", "$a'b", "a\\b'c"])
def test_a_key_that_no_quotes_carry_is_not_written(machine: Machine, key: str) -> None:
    done = said(machine, "quoted", key)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_key_that_no_quotes_carry_makes_the_backup_end_badly_and_keeps_the_dump(server: Machine) -> None:
    folder = server.folder / "kept"
    done = server.run("backup.sh", str(folder), DUMP="docker compose exec -T db mariadb-dump", SECRET_KEY="a\\\\b")
    assert (done.returncode, "the key is NOT backed up" in done.stderr) == (1, True)
    assert [file.name.partition(".")[2] for file in folder.iterdir()] == ["sql.gz"]


def test_an_env_file_that_is_refused_ends_the_backup_before_anything_is_written(server: Machine) -> None:
    server.env_file.write_text("DATABASE_PASSWORD=abc\nSECRET_KEY=a$b\n")
    folder = server.folder / "kept"
    done = server.run("backup.sh", str(folder), DUMP="docker compose exec -T db mariadb-dump")
    assert (done.returncode, "SECRET_KEY in" in done.stderr, list(folder.iterdir())) == (2, True, [])


def test_a_key_that_cannot_be_read_is_never_called_in_place_after_a_restore(server: Machine) -> None:
    (server.folder / "old.sql.gz").write_bytes(gzip.compress(b"SELECT 1"))
    for file in (server.env_file, server.folder / "old.key"):
        file.write_text("SECRET_KEY=$b\nDATABASE_PASSWORD=abc\n")
    server.command("docker", "cat >/dev/null")
    done = server.run("restore.sh", str(server.folder / "old.sql.gz"), CLIENT="docker compose exec -T db mariadb")
    assert done.returncode == 0, done.stderr
    assert "in place already" not in done.stdout
    assert "old.key holds a $" in done.stderr


def test_what_is_put_into_the_env_file_replaces_what_stood_there(machine: Machine) -> None:
    for before, after in (("X=a\nSECRET_KEY=k\n", "SECRET_KEY=k\nX=b\n"), (" export X = a\n", "X=b\n"), ("", "X=b\n")):
        machine.env_file.write_text(before)
        done = said(machine, "put", "X", "b")
        assert (done.returncode, done.stderr, machine.env_file.read_text()) == (0, "", after)


@pytest.mark.parametrize("status", [2, 137])
def test_an_env_file_that_cannot_be_read_to_its_end_stays_whole(server: Machine, status: int) -> None:
    assert server.run("update.sh", BACKUPS=str(server.folder / "backups")).returncode == 0
    before, real = server.env_file.read_text(), shutil.which("grep")
    server.command("grep", f'case "$*" in *-v*) echo half; exit {status};; esac; exec {real} "$@"')
    done = server.run("rollback.sh")
    assert (done.returncode, server.env_file.read_text()) == (2, before)
    assert f"could not be written into {server.env_file}, which stays as it was" in done.stderr
    assert not list(server.folder.glob(".env.*"))


def test_what_stands_in_the_env_file_is_never_run(machine: Machine) -> None:
    machine.env_file.write_text(f"DOMAIN=$(touch {machine.folder}/run)\n")
    assert machine.run("nginx.sh").returncode == 2
    assert not (machine.folder / "run").exists()


def test_only_our_own_variables_are_filled_in(machine: Machine) -> None:
    machine.env_file.write_text("DOMAIN=shop.example.ru\n")
    conf = machine.run("nginx.sh").stdout
    assert "${" not in conf
    for name in ("$remote_addr", "$request_uri", "$binary_remote_addr"):
        assert name in conf


def test_a_new_server_gets_settings_that_the_service_takes(machine: Machine) -> None:
    assert machine.run("first.sh", "shop.example.ru").returncode == 0
    settings = load_settings({"HOME": str(machine.folder)}, machine.env_file, data_dir=machine.folder / "data")
    assert settings.base_url == "https://shop.example.ru"
    assert len(settings.secret_key.get_secret_value()) == 48
    assert machine.env_file.stat().st_mode & 0o077 == 0
    before = machine.env_file.read_text()
    assert machine.run("first.sh", "other.example.ru").returncode == 0
    assert machine.env_file.read_text() == before, "a second start keeps the key"


def test_a_new_server_needs_a_domain(machine: Machine) -> None:
    assert machine.run("first.sh").returncode == 2
    assert not machine.env_file.exists()


@pytest.fixture
def server(machine: Machine) -> Machine:
    """One that runs a version, with stand-ins for git and docker that tell what was asked of them."""
    machine.env_file.write_text("DOMAIN=shop.example.ru\nDATABASE_PASSWORD=abc\nSECRET_KEY=k\nIMAGE_TAG=old\n")
    machine.env_file.chmod(0o600)
    machine.command("git", 'case "$1" in rev-parse) echo new;; esac')
    machine.command("docker", 'case "$*" in *mariadb-dump*) echo "-- Dump completed";; esac')
    return machine


def tags(server: Machine) -> dict[str, str]:
    """What .env says of the images."""
    return dict(re.findall(r"^(IMAGE_TAG\w*)=(.*)$", server.env_file.read_text(), re.MULTILINE))


def test_after_updates_that_do_not_get_well_the_way_back_leads_to_the_version_that_did(server: Machine) -> None:
    backups = str(server.folder / "backups")
    assert server.run("update.sh", BACKUPS=backups).returncode == 0  # to `new`, which gets well
    server.command("docker", 'case "$*" in *--wait*) exit 1;; *mariadb-dump*) echo "-- Dump completed";; esac')
    for bad in ("bad", "worse"):
        server.command("git", f'case "$1" in rev-parse) echo {bad};; esac')
        assert "deploy/rollback.sh starts new again" in server.run("update.sh", BACKUPS=backups).stderr
    assert tags(server)["IMAGE_TAG_PREVIOUS"] == "new"
    assert server.run("update.sh", BACKUPS=backups).returncode != 0, "it does not run because it was once tried"


def test_an_update_keeps_the_images_of_two_versions(server: Machine) -> None:
    server.command("docker", 'case "$*" in *mariadb-dump*) echo "-- Dump completed";; *"image ls"*) '
                   'printf "new\\nold\\nolder\\nlatest\\n";; esac')  # fmt: skip
    assert server.run("update.sh", BACKUPS=str(server.folder / "backups")).returncode == 0
    removed = [call.split()[-1] for call in server.calls.read_text().splitlines() if " image rm " in call]
    assert removed == ["evosync:older", "evosync:latest"]


def test_a_dump_that_breaks_off_leaves_nothing_behind(server: Machine) -> None:
    server.command("docker", 'case "$*" in *mariadb-dump*) echo half; exit 2;; esac')
    folder = server.folder / "kept"
    done = server.run("backup.sh", str(folder), DUMP="docker compose exec -T db mariadb-dump")
    assert done.returncode != 0
    assert list(folder.iterdir()) == []


def test_an_update_is_one_command_and_so_is_the_way_back(server: Machine) -> None:
    done = server.run("update.sh", BACKUPS=str(server.folder / "backups"))
    assert done.returncode == 0, done.stderr
    calls = server.calls.read_text().splitlines()
    parts = ("dump", "git pull", "compose build", "compose pull", "migrate", "up -d", "image prune", "builder prune")
    order = [next(n for n, call in enumerate(calls) if part in call) for part in parts]
    assert order == sorted(order), "backed up before anything, all built and migrated before what runs is touched"
    assert len(list((server.folder / "backups").glob("*.sql.gz"))) == 1
    assert tags(server) == {"IMAGE_TAG": "new", "IMAGE_TAG_PREVIOUS": "old", "IMAGE_TAG_GOOD": "new"}
    assert "SECRET_KEY=k" in server.env_file.read_text()
    assert server.env_file.stat().st_mode & 0o777 == 0o600

    server.calls.write_text("")
    back = server.run("rollback.sh")
    assert back.returncode == 0, back.stderr
    assert tags(server) == {"IMAGE_TAG": "old", "IMAGE_TAG_PREVIOUS": "new", "IMAGE_TAG_GOOD": "old"}
    assert server.calls.read_text() == f"docker {START}\n", "nothing is fetched or built for the way back"


def test_an_update_without_a_newer_version_renews_the_images_and_keeps_the_way_back(server: Machine) -> None:
    backups = str(server.folder / "backups")
    assert server.run("update.sh", BACKUPS=backups).returncode == 0
    server.calls.write_text("")
    done = server.run("update.sh", BACKUPS=backups)
    assert (done.returncode, "new runs already" in done.stdout) == (0, True)
    assert tags(server) == {"IMAGE_TAG": "new", "IMAGE_TAG_PREVIOUS": "old", "IMAGE_TAG_GOOD": "new"}
    calls = server.calls.read_text().splitlines()
    for call in ("compose build --quiet --pull app", "compose pull --quiet db redis", START):
        assert f"docker {call}" in calls


@pytest.mark.parametrize(("listed", "part"), [("app", "app"), ("web\\nworker", "web")])
def test_an_update_migrates_in_a_container_of_the_new_image_beside_what_runs(
    server: Machine, listed: str, part: str
) -> None:
    server.command("docker", 'case "$*" in *mariadb-dump*) echo "-- Dump completed";; "compose run"*) '
                   f'echo "tag $IMAGE_TAG" >>"{server.calls}"; cat >>"{server.calls}";; '
                   f'*--services) printf "db\\n{listed}\\nredis\\n";; esac')  # fmt: skip
    assert server.run("update.sh", BACKUPS=str(server.folder / "backups")).returncode == 0
    calls = server.calls.read_text().splitlines()
    at = calls.index(f"docker compose run --rm --no-deps -T {part} migrate")
    assert calls[at + 1] == "tag new"
    assert f"docker compose build --quiet --pull {part}" in calls[:at], "on the newest base image"
    assert "docker compose pull --quiet db redis" in calls[:at], "and no image that is built here"
    assert f"docker {START}" in calls[at:]


def test_an_update_clears_old_parts_of_builds_away_and_does_not_fail_where_it_cannot(server: Machine) -> None:
    server.command("docker", 'case "$*" in *mariadb-dump*) echo "-- Dump completed";; *prune*) exit 1;; esac')
    done = server.run("update.sh", BACKUPS=str(server.folder / "backups"))
    assert (done.returncode, "new runs" in done.stdout) == (0, True)
    assert "docker builder prune -f --filter until=168h" in server.calls.read_text()


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("--services", "reading the compose files of new failed"),
        ("build", "the build of new (on the newest base image, for which the registry is asked) failed"),
        ("pull", "fetching the images of MariaDB and Redis from the registry failed"),
        ("run", "the migrations of new failed"),
    ],
)
def test_an_update_that_fails_before_the_start_says_so_and_leaves_what_runs(
    server: Machine, fails: str, said: str
) -> None:
    server.command(
        "docker", f'case "$2 $*" in {fails}*|*{fails}) exit 3;; *mariadb-dump*) echo "-- Dump completed";; esac'
    )
    before = server.env_file.read_text()
    done = server.run("update.sh", BACKUPS=str(server.folder / "backups"))
    assert (done.returncode, server.env_file.read_text()) == (1, before)
    assert f"{said}, see above; old goes on serving, the checkout is where it was" in done.stderr
    calls = server.calls.read_text().splitlines()
    assert calls[-1] == "git reset --quiet --keep new"
    assert not [call for call in calls if " up " in call or " rm " in call or "prune" in call]


def test_an_update_whose_backup_fails_takes_nothing(server: Machine) -> None:
    server.command("docker", 'case "$*" in *mariadb-dump*) exit 1;; esac')
    before = server.env_file.read_text()
    done = server.run("update.sh", BACKUPS=str(server.folder / "backups"))
    assert (done.returncode, "the backup failed" in done.stderr) == (1, True)
    assert (server.env_file.read_text(), len(server.calls.read_text().splitlines())) == (before, 1)


def test_an_update_that_cannot_fetch_the_version_changes_nothing(server: Machine) -> None:
    server.command("git", 'case "$1" in pull) exit 1;; esac')
    done = server.run("update.sh", BACKUPS=str(server.folder / "backups"))
    assert (done.returncode, "the newest version could not be fetched" in done.stderr) == (1, True)
    assert not [call for call in server.calls.read_text().splitlines() if "dump" not in call and "git" not in call]


def test_an_update_to_a_version_that_does_not_get_well_says_how_to_go_back(server: Machine) -> None:
    server.command("docker", 'case "$*" in *--wait*) exit 1;; *mariadb-dump*) echo "-- Dump completed";; esac')
    done = server.run("update.sh", BACKUPS=str(server.folder / "backups"))
    assert (done.returncode, tags(server)["IMAGE_TAG"]) == (1, "new")
    assert "deploy/rollback.sh starts old again" in done.stderr
    assert "git reset" not in server.calls.read_text()


class Checkout:
    """A clone of a repository that has our scripts, with the real git, on a machine whose docker is a stand-in."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.origin, self.clone = machine.folder / "origin", machine.folder / "clone"
        shutil.copytree(DEPLOY, self.origin / "deploy")
        self.git(self.origin, "init", "--quiet", "--initial-branch=main")
        self.release()
        self.git(machine.folder, "clone", "--quiet", str(self.origin), str(self.clone))
        machine.scripts = self.clone / "deploy"
        machine.env_file.write_text("DATABASE_PASSWORD=abc\nSECRET_KEY=k\nIMAGE_TAG=old\n")

    def git(self, folder: Path, *arguments: str) -> str:
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.machine.folder)}
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def release(self) -> None:
        self.git(self.origin, "add", "--all")
        self.git(self.origin, "commit", "--quiet", "--message", "release")

    def head(self) -> str:
        return self.git(self.clone, "rev-parse", "HEAD")

    def update(self) -> "subprocess.CompletedProcess[str]":
        return self.machine.run("update.sh", BACKUPS=str(self.machine.folder / "backups"))


@pytest.fixture
def checkout(machine: Machine) -> Checkout:
    machine.command("docker", 'case "$*" in *mariadb-dump*) echo "-- Dump completed";; esac')
    return Checkout(machine)


def test_the_version_that_stands_backs_up_and_the_new_one_s_script_goes_on(checkout: Checkout) -> None:
    before = checkout.head()
    script = checkout.origin / "deploy" / "update.sh"
    script.write_text("#!/bin/sh\n" + "# longer than before\n" * 1000 + 'echo "the new one: $*"\n')
    (checkout.origin / "deploy" / "backup.sh").write_text("#!/bin/sh\nexit 9\n")
    checkout.release()
    done = checkout.update()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"the new one: --pulled {before}"
    assert len(list((checkout.machine.folder / "backups").glob("*.sql.gz"))) == 1


def test_an_update_that_fails_brings_the_checkout_back_with_what_was_changed_there(checkout: Checkout) -> None:
    before = checkout.head()
    script = checkout.origin / "deploy" / "update.sh"
    script.write_text(script.read_text().replace("set -e", "# longer\n" * 1000 + "set -e", 1))
    (checkout.origin / "new").touch()
    checkout.release()
    ours = checkout.clone / "deploy" / "nginx.sh"
    ours.write_text("changed on this server")
    checkout.machine.command("docker", 'case "$2 $*" in build*) exit 1;; *dump*) echo "-- Dump completed";; esac')
    done = checkout.update()
    assert (done.returncode, "the checkout is where it was" in done.stderr) == (1, True)
    assert (checkout.head(), (checkout.clone / "new").exists()) == (before, False)
    assert ours.read_text() == "changed on this server"

    checkout.machine.command("docker", 'case "$*" in *dump*) echo "-- Dump completed";; esac')
    done = checkout.update()
    assert (done.returncode, checkout.head()) == (0, checkout.git(checkout.origin, "rev-parse", "HEAD"))
    assert tags(checkout.machine)["IMAGE_TAG"] == checkout.head()[:12]


def audited(machine: Machine, report: str, *, check: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
    """`.ci/run` with stand-ins for make and its audit, whose report is this."""
    (machine.folder / "report").write_text(report)
    machine.command("apt-get")
    copy = f'for last; do :; done; cp "{machine.folder}/report" "${{last##* }}"'
    machine.command("make", f'case "$*" in *audit*) {copy}; exit 1;; *check) {check or ":"};; esac')
    return machine.run("../.ci/run", **more)


def looked_at(*holes: str) -> str:
    """As pip-audit writes it; of the third package the index told it nothing."""
    found = [{"id": hole, "fix_versions": [], "aliases": [], "description": 'a "vulns": [{ in text'} for hole in holes]
    packages: list[dict[str, object]] = [
        {"name": "aiohttp", "version": "3.14.5", "vulns": []}, {"name": "yarl", "version": "1.9", "vulns": found},
        {"name": "own", "skip_reason": "not found"},
    ]  # fmt: skip
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("report", "said"),
    [("", "not done, the data could not be reached"), ('{"dependencies": [{"name": "own", "skip_reason": "x"}]}',
     "not done, the data could not be reached"), (looked_at(), "2 of 3 packages looked at, no known hole")],
)  # fmt: skip
def test_ci_says_what_became_of_the_audit_and_then_checks(machine: Machine, report: str, said: str) -> None:
    done = audited(machine, report)
    assert done.returncode == 0
    assert re.fullmatch(rf"dependency audit: {re.escape(said)}\nci: \d+ s before the checks\n", done.stdout)
    assert machine.calls.read_text().splitlines()[-1] == "make --no-print-directory check"


def test_a_known_hole_ends_ci_badly_after_everything_was_checked(machine: Machine) -> None:
    done = audited(machine, looked_at("PYSEC-2026-1"))
    assert done.returncode == 1
    assert '"name": "yarl", "version": "1.9"' in done.stdout.splitlines()[-1]
    assert "PYSEC-2026-1" in done.stdout.splitlines()[-1]
    assert machine.calls.read_text().splitlines()[-1] == "make --no-print-directory check"


@pytest.mark.parametrize(("before", "is_long"), [("2300", False), ("2405", True)])
def test_ci_that_takes_longer_than_forty_minutes_says_so(machine: Machine, before: str, *, is_long: bool) -> None:
    """bash counts on from the seconds that it is given."""
    done = audited(machine, looked_at(), check="echo 9 passed", SECONDS=before)
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if "TOO LONG" not in line][-1] == "9 passed"
    assert ("ci: TOO LONG, more than 2400 s" in done.stdout) is is_long


def test_an_index_that_tells_nothing_is_no_clean_audit() -> None:
    environ = {"PATH": os.environ["PATH"]}  # without the words of a make that may have started the tests
    done = subprocess.run(["make", "-n", "audit"], cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    command = done.stdout.replace("\\\n", " ")
    assert re.search(r"pip-audit@\d+\.\d+\.\d+ .*--strict", command), "by a version that is known, and strictly"
    assert sorted(re.findall(r"\s-r (\S+)", command)) == sorted(lock.name for lock in ROOT.glob("*.lock"))


def test_there_is_no_way_back_before_the_first_update(server: Machine) -> None:
    done = server.run("rollback.sh")
    assert (done.returncode, "no version before" in done.stderr) == (2, True)
    assert server.calls.read_text() == ""
