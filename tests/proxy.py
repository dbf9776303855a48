"""nginx in front of a server, as deploy/nginx.conf has it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from certificates import server_context

EXAMPLE = Path(__file__).parents[1] / "deploy" / "nginx.conf"
# Debian's lies in /usr/sbin, which is not in everybody's path.
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

WRAPPER = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/mien.conf;
}}
"""


def written(folder: Path, upstream: str, port: int) -> Path:
    """A configuration that includes the example, changed only in addresses and certificate.

    upstream: host and port of mien. port: of HTTPS on loopback.
    """
    server_context(folder)
    certificate = next(folder.glob("127.0.0.1-*.pem"))
    text = EXAMPLE.read_text(encoding="utf-8")
    text = re.sub(r"server 127\.0\.0\.1:8000;", f"server {upstream};", text)
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.M)
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    text = text.replace("listen 80;", f"listen unix:{folder}/redirect.sock;")
    text = text.replace("/var/log/nginx", str(folder))
    text = re.sub(r"(ssl_certificate(?:_key)?) .*;", rf"\1 {certificate};", text)
    (folder / "mien.conf").write_text(text, encoding="utf-8")
    wrapper = folder / "nginx.conf"
    wrapper.write_text(WRAPPER.format(folder=folder), encoding="utf-8")
    return wrapper


@contextmanager
def proxied(folder: Path, url: str) -> Iterator[str]:
    """Serves what is at ``url`` by HTTPS while the context lasts; gives the address."""
    assert NGINX is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    wrapper = written(folder, urlsplit(url).netloc, port)
    with (folder / "nginx.log").open("w") as log:
        process = subprocess.Popen([NGINX, "-c", wrapper, "-p", folder], stderr=log, stdout=log)
        try:
            for _ in range(400):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
                assert process.poll() is None, (folder / "nginx.log").read_text()
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)
