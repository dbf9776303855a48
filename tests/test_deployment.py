"""The deployment examples agree with each other and with what mien reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mien.config import load_settings

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]


def published(service: str) -> set[str]:
    """The container's side of its ports."""
    return {port.split(":", 1)[1] for port in SERVICES[service]["ports"]}


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_is_there(service: str) -> None:
    mounts = [volume.split(":") for volume in SERVICES[service]["volumes"]]
    for source, target, *_ in mounts:
        assert source in COMPOSE["volumes"] or (ROOT / source).is_file(), source
        named = [word for word in SERVICES[service]["command"] if word == target]
        assert named or not source.startswith("./"), f"nothing reads {target}"


def test_settings_are_ones_that_mien_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["mien"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]+\}", "203.0.113.10", value))
    settings = load_settings(ROOT / "deploy" / "mien.toml")
    assert settings.webrtc.turn.urls[0] == "turn:203.0.113.10:3478"
    assert settings.webrtc.port_range is not None
    first, last = settings.webrtc.port_range
    assert f"{first}-{last}/udp" in published("mien")
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"EXPOSE {settings.port}/tcp {first}-{last}/udp" in dockerfile
    assert str(settings.port) in published("mien")


def test_every_value_that_compose_needs_is_in_the_example() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\$\{(\w+)", text))
    example = (ROOT / "deploy" / "env.example").read_text(encoding="utf-8")
    assert wanted == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_what_the_image_copies_is_let_through() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile, re.MULTILINE)
    copied = " ".join(lines).split()
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied and all((ROOT / name).exists() and f"!{name}" in allowed for name in copied)


def test_srs_listens_where_compose_publishes() -> None:
    text = (ROOT / "deploy" / "srs.conf").read_text(encoding="utf-8")
    ports = set(re.findall(r"listen\s+(\d+);", text))
    assert ports == {port.removesuffix("/udp") for port in published("srs")}


def test_srs_takes_its_configuration() -> None:
    server = os.environ.get("MIEN_SRS_BIN")
    if not server:
        pytest.skip("MIEN_SRS_BIN does not name an SRS server")
    checked = subprocess.run(
        [server, "-t", "-c", ROOT / "deploy" / "srs.conf"],
        env={**os.environ, "CANDIDATE": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (ROOT / "deploy" / "mien.service").read_text(encoding="utf-8")
    here = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit, flags=re.M)
    (tmp_path / "mien.service").write_text(here, encoding="utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "mien.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in verified.stderr.splitlines() if "mien.service" in line]
    assert not ours and verified.returncode == 0, verified.stderr
