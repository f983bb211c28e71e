"""A real nginx with the rendered template, as visitors see it."""

import asyncio
import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests import services

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "shop.example.ru"


class Front:
    """nginx as visitors see it."""

    def __init__(self, http: int, https: int, session: aiohttp.ClientSession) -> None:
        self.http = http
        self.https = https
        self._session = session

    def get(self, path: str, *, host: str = NAME, **headers: str) -> "aiohttp.client._RequestContextManager":
        shown = {"Host": host, "Accept-Encoding": "identity"}
        shown |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"https://127.0.0.1:{self.https}{path}"
        return self._session.get(url, headers=shown, server_hostname=host, allow_redirects=False)

    def post(self, path: str, **form: str) -> "aiohttp.client._RequestContextManager":
        url = f"https://127.0.0.1:{self.https}{path}"
        return self._session.post(url, data=form, headers={"Host": NAME}, server_hostname=NAME, allow_redirects=False)

    def plain(self, path: str, host: str = NAME) -> "aiohttp.client._RequestContextManager":
        return self._session.get(f"http://127.0.0.1:{self.http}{path}", headers={"Host": host}, allow_redirects=False)


@asynccontextmanager
async def front(
    folder: Path, upstream: str, *, beside_stock_site: bool = False, address: str = "127.0.0.1:", http: str = ""
) -> AsyncIterator[Front]:
    """`address` before the ports, empty for every address of the host; `http`: more for nginx's http block."""
    nginx = program()
    certificate(folder)
    one, two = services.free_ports(2)
    ports = one, two
    conf = laid_out(folder, http + rendered(folder, upstream, *(f"{address}{port}" for port in ports)))
    if beside_stock_site:
        stock_site(folder, ports[0])
    command = [nginx, "-t", "-c", str(conf), "-p", str(folder)]
    check = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: ASYNC221 - milliseconds
    assert check.returncode == 0, check.stderr
    assert "[warn]" not in check.stderr
    server = await asyncio.create_subprocess_exec(nginx, "-c", conf, "-p", folder, "-g", "daemon off;")
    try:
        await answering(ports[1])
        connector = aiohttp.TCPConnector(ssl=unverified())
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            yield Front(*ports, session)
    finally:
        server.terminate()
        await server.wait()


def program() -> str:
    """nginx, where all that our configuration needs is there."""
    nginx = services.find("nginx")
    if nginx is None or services.find("envsubst") is None or services.find("openssl") is None:
        services.unavailable("no nginx, envsubst or openssl on this machine")
    return nginx


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={NAME}", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def rendered(folder: Path, upstream: str, http: str, https: str) -> str:
    environ = {
        "PATH": os.environ["PATH"], "ENV_FILE": "/dev/null", "DOMAIN": NAME, "UPSTREAM": upstream,
        "CERTIFICATES": str(folder), "ACME": str(folder / "acme"), "HTTP_PORT": http,
        "HTTPS_PORT": https,
    }  # fmt: skip
    done = subprocess.run([DEPLOY / "nginx.sh"], env=environ, capture_output=True, text=True, check=True)
    return done.stdout


def laid_out(folder: Path, ours: str) -> Path:
    """A configuration in two folders, as Debian's is; `ours` is put where the operator puts it."""
    sites = [folder / "conf.d", folder / "sites-enabled"]
    for site in sites:
        site.mkdir()
    (sites[0] / "evosync.conf").write_text(ours.replace("/var/log/nginx/evosync.log", str(folder / "access.log")))
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(
        f"{user}pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nworker_processes 1;\n"
        f"events {{ worker_connections 256; }}\nhttp {{\n{temporary}include {sites[0]}/*.conf;\n"
        f"include {sites[1]}/*;\n}}\n"
    )
    return conf


def stock_site(folder: Path, http: int) -> None:
    """What a new Debian has in its second folder: a site that takes every name."""
    (folder / "sites-enabled" / "default").write_text(
        f"server {{ listen 127.0.0.1:{http} default_server; server_name _; access_log off;"
        " location / { return 200 'Welcome to nginx!'; } }\n"
    )


async def answering(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return
