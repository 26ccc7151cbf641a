"""nginx and Caddy with the files of `deploy/` on this machine: on other ports, with a certificate of a test's own."""

import os
import signal
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from socket import create_connection

from tests import DEADLINE, ROOT
from tests.program import free_port, until
from tests.raw_client import RawClient
from tests.tools import tool

DEPLOY = ROOT / "deploy"
_PLACEHOLDER = "rosterlog.example.org"  # in the files
NAME = "example.org"  # here, as requests of `raw_client` say
NGINX_API = "#include /etc/nginx/snippets/rosterlog-api.conf;"
_NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/rosterlog.conf;
}}
"""


def changed(text: str, changes: Mapping[str, str]) -> str:
    """The text with each of these pieces replaced; every one must be there."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def certificate(folder: Path) -> None:
    """A certificate that signs itself: `certificate.pem` and `key.pem`."""
    command = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"))
    subject = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    subprocess.run([tool("openssl"), *command, *files, *subject], check=True, capture_output=True, timeout=DEADLINE)


@contextmanager
def nginx(folder: Path, changes: Mapping[str, str]) -> Iterator[int]:
    """nginx before the address in `changes`; gives its port."""
    program, port = tool("nginx"), free_port()
    certificate(folder)
    here = {
        "    listen [::]:443 ssl;\n": "",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/letsencrypt/live/{_PLACEHOLDER}/fullchain.pem": f"{folder}/certificate.pem",
        f"/etc/letsencrypt/live/{_PLACEHOLDER}/privkey.pem": f"{folder}/key.pem",
        "/var/log/nginx/rosterlog.log": f"{folder}/access.log",
    }
    text = (DEPLOY / "nginx" / "rosterlog.conf").read_text()
    (folder / "rosterlog.conf").write_text(changed(text, {**here, **changes}))
    user = "user root;" if os.geteuid() == 0 else ""  # the folder of the test is the current user's alone
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, user=user))
    with _running([program, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"], folder, port):
        yield port


@contextmanager
def caddy(folder: Path, changes: Mapping[str, str]) -> Iterator[int]:
    """Caddy before the address in `changes`; gives its port."""
    program, port = tool("caddy"), free_port()
    certificate(folder)
    here = {
        "{\n\tservers {": "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {",
        f"{{$SITE_NAME:{_PLACEHOLDER}}} {{": f"https://{NAME}:{port} {{\n\tbind 127.0.0.1\n"
        f"\ttls {folder}/certificate.pem {folder}/key.pem",
    }
    text = (DEPLOY / "caddy" / "Caddyfile").read_text()
    (folder / "Caddyfile").write_text(changed(text, {**here, **changes}))
    with _running([program, "run", "--config", "Caddyfile", "--adapter", "caddyfile"], folder, port):
        yield port


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    env = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=subprocess.STDOUT)
        try:
            until(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None, (folder / "output").read_text()
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=DEADLINE)


def _listens(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), timeout=DEADLINE).close()
    except OSError:
        return False
    return True


@contextmanager
def connected(port: int, certificate_file: Path) -> Iterator[RawClient]:
    """A connection under TLS to the name that the certificate is for."""
    context = ssl.create_default_context(cafile=str(certificate_file))
    with (
        closing(create_connection(("127.0.0.1", port), timeout=DEADLINE)) as plain,
        context.wrap_socket(plain, server_hostname=NAME) as secured,
    ):
        yield RawClient(secured)
