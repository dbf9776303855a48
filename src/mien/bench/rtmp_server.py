"""A real media server of one's own on a loopback port: nginx with its RTMP module, or SRS."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

SRS_VARIABLE = "MIEN_SRS_BIN"
MODULE_FOLDERS = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")
HOW = (
    "nginx with its RTMP module is not installed; on Debian and Ubuntu: "
    "sudo apt install nginx-light libnginx-mod-rtmp"
)
START_SEC = 20.0


class NoMediaServer(RuntimeError):
    """There is none on this machine; the message says how to install one."""


NGINX = """
load_module {module};
daemon off;
master_process off;
pid nginx.pid;
error_log stderr info;
events {{}}
rtmp {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        chunk_size 4096;
        application live {{
            live on;
            meta copy;
            {on_publish}
        }}
    }}
}}
"""

SRS = """
listen 127.0.0.1:{port};
max_connections 100;
daemon off;
srs_log_tank console;
pid ./srs.pid;
work_dir ./;
query_latest_version off;
stats {{ network 0; }}
vhost __defaultVhost__ {{
    tcp_nodelay on;
    min_latency on;
    publish {{ mr off; firstpkt_timeout 20000; normal_timeout 7000; }}
    play {{ gop_cache off; queue_length 10; mw_latency 0; send_min_interval 0; }}
    {on_publish}
}}
"""


class MediaServer:
    """One server, started and killed at will, always on the same port; :meth:`play` and
    publish at ``rtmp://127.0.0.1:{port}/live``."""

    def __init__(self, folder: Path, srs: str | None = None, on_publish: str | None = None) -> None:
        self.port = _free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        if srs is not None:
            hooks = on_publish and f"http_hooks {{ enabled on; on_publish {on_publish}; }}"
            text = SRS.format(port=self.port, on_publish=hooks or "")
            self._command = [srs, "-c", "server.conf"]
        else:
            nginx, module = _nginx()
            hook = f"on_publish {on_publish};" if on_publish else ""
            text = NGINX.format(port=self.port, module=module, on_publish=hook)
            self._command = [nginx, "-p", ".", "-c", "server.conf", "-e", "stderr"]
        (folder / "server.conf").write_text(text)

    @property
    def url(self) -> str:
        """Without a stream's name."""
        return f"rtmp://127.0.0.1:{self.port}/live"

    @property
    def log(self) -> str:
        return (self._folder / "server.log").read_text(errors="replace")

    def start(self) -> None:
        """Returns once it accepts connections. Raises NoMediaServer when it does not."""
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SEC
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.kill()
        raise NoMediaServer(f"{self._command[0]} does not start: {self.log[-500:].strip()}")

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """It goes on accepting and receiving, as far as the system does that for it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def media_server(on_publish: str | None = None, srs: str | None = None) -> Iterator[MediaServer]:
    """A running server, gone in the end.

    on_publish: URL asked (POST) whether somebody may publish. srs: path of SRS, instead of nginx.

    Raises:
        NoMediaServer: when it is not installed or does not start.
    """
    with TemporaryDirectory(prefix="mien-rtmp-") as folder:
        server = MediaServer(Path(folder), srs, on_publish)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def chosen_srs() -> str | None:
    """Path of SRS, if the environment names one."""
    return os.environ.get(SRS_VARIABLE) or None


def _nginx() -> tuple[str, str]:
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    modules = [Path(folder) / "ngx_rtmp_module.so" for folder in MODULE_FOLDERS]
    module = next((str(path) for path in modules if path.exists()), None)
    if nginx is None or module is None:
        raise NoMediaServer(HOW)
    return nginx, module


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
