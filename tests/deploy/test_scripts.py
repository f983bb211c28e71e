"""The scripts of a new server fail loudly, can be repeated, and never run what stands in .env."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from evosync.settings import load_settings
from tests.deploy import front
from tests.services import free_port

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


class Machine:
    """A folder of commands that note how they were called, before those of the system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.env_file = folder / ".env"
        self.calls = folder / "calls"
        self.calls.touch()

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
        command = [str(DEPLOY / script), *arguments]
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
    nginx, http, https = front.program(), free_port(), free_port()
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
    order = [next(n for n, call in enumerate(calls) if part in call) for part in ("pull", "dump", "build", "up -d")]
    assert order == sorted(order), "backed up before, and built before what runs is touched"
    assert len(list((server.folder / "backups").glob("*.sql.gz"))) == 1
    assert tags(server) == {"IMAGE_TAG": "new", "IMAGE_TAG_PREVIOUS": "old", "IMAGE_TAG_GOOD": "new"}
    assert "SECRET_KEY=k" in server.env_file.read_text()
    assert server.env_file.stat().st_mode & 0o777 == 0o600
    again = server.run("update.sh", BACKUPS=str(server.folder / "backups"))
    assert "runs already" in again.stdout

    back = server.run("rollback.sh")
    assert back.returncode == 0, back.stderr
    assert tags(server) == {"IMAGE_TAG": "old", "IMAGE_TAG_PREVIOUS": "new", "IMAGE_TAG_GOOD": "old"}
    assert server.calls.read_text().splitlines()[-1] == "docker compose up -d --no-build --wait"


@pytest.mark.parametrize(("fails", "changed"), [("mariadb-dump", False), ("build", False), ("--wait", True)])
def test_an_update_that_fails_says_so_and_leaves_what_runs(server: Machine, fails: str, *, changed: bool) -> None:
    server.command("docker", f'case "$*" in *{fails}*) exit 1;; *mariadb-dump*) echo "-- Dump completed";; esac')
    done = server.run("update.sh", BACKUPS=str(server.folder / "backups"))
    assert done.returncode != 0
    assert ("IMAGE_TAG=new" in server.env_file.read_text()) is changed
    assert ("deploy/rollback.sh" in done.stderr) is changed


def audited(machine: Machine, report: str) -> "subprocess.CompletedProcess[str]":
    """`.ci/run` with stand-ins for make and its audit, whose report is this."""
    (machine.folder / "report").write_text(report)
    machine.command("apt-get")
    copy = f'for last; do :; done; cp "{machine.folder}/report" "${{last##* }}"'
    machine.command("make", f'case "$*" in *audit*) {copy}; exit 1;; esac')
    return machine.run("../.ci/run")


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
    assert (done.returncode, done.stdout) == (0, f"dependency audit: {said}\n")
    assert machine.calls.read_text().splitlines()[-1] == "make --no-print-directory check"


def test_a_known_hole_ends_ci_badly_after_everything_was_checked(machine: Machine) -> None:
    done = audited(machine, looked_at("PYSEC-2026-1"))
    assert done.returncode == 1
    assert '"name": "yarl", "version": "1.9"' in done.stdout.splitlines()[-1]
    assert "PYSEC-2026-1" in done.stdout.splitlines()[-1]
    assert machine.calls.read_text().splitlines()[-1] == "make --no-print-directory check"


def test_an_index_that_tells_nothing_is_no_clean_audit() -> None:
    environ = {"PATH": os.environ["PATH"]}  # without the words of a make that may have started the tests
    done = subprocess.run(["make", "-n", "audit"], cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    assert re.search(r"pip-audit@\d+\.\d+\.\d+ .*--strict", done.stdout), "by a version that is known, and strictly"


def test_there_is_no_way_back_before_the_first_update(server: Machine) -> None:
    done = server.run("rollback.sh")
    assert (done.returncode, "no version before" in done.stderr) == (2, True)
    assert server.calls.read_text() == ""
