"""What goes wrong on the way to an RTMP server, in words that say what to do.

All of it may pass without anybody here doing anything (a renewed certificate, a proxy whose
server is back), and a stream may be unattended: so all of it is worth another try.
"""

from __future__ import annotations

import re
import socket
import ssl

from mien.media.output import OutputError
from mien.media.rtmp.url import Target

CONNECT_SEC = 5.0

# What servers call a name that is taken; the code alone (BadName) many use for wrong keys too.
_TAKEN = re.compile(r"already|in use|busy|exist|duplicat|another|publishing|occupied", re.I)
_WRONG = re.compile(r"denied|auth|invalid|not found|forbid|wrong|expire|reject|permission", re.I)


def unknown_host(target: Target) -> OutputError:
    return OutputError(
        f"No server is known by the name {target.host}. "
        "Check how it is spelled, and this machine's network.",
        code="unknown_host",
        zh=f"找不到主机 {target.host}，请检查拼写和本机网络。",
    )


def dns_silent(target: Target) -> OutputError:
    return OutputError(
        f"Looking up {target.host} took longer than {CONNECT_SEC:.0f} s. "
        "Check this machine's network and its DNS server.",
        code="unknown_host",
        zh=f"查询 {target.host} 超过 {CONNECT_SEC:.0f} 秒，请检查本机网络和 DNS。",
    )


def refused(target: Target) -> OutputError:
    return OutputError(
        f"{target.host} is there, but nothing listens on port {target.port}. "
        "Is the media server running, and is this its RTMP port?",
        code="refused",
        zh=f"{target.host} 的 {target.port} 端口没有服务，请确认流媒体服务器已启动、端口正确。",
    )


def unreachable(target: Target, why: str) -> OutputError:
    return OutputError(
        f"{target.host}:{target.port} cannot be reached ({why}). "
        "Check address and port, and firewalls on the way.",
        code="unreachable",
        zh=f"无法连接 {target.host}:{target.port}（{why}），请检查地址、端口和防火墙。",
    )


def silent(target: Target, step: str) -> OutputError:
    """step: "tls", "handshake", "connect" or "publish", whose answer did not come."""
    if step == "tls":
        return tls_failed(target, "it did not answer")
    en, zh = {
        "handshake": ("said nothing", "没有任何应答"),
        "connect": ("did not answer to its application's name", "未应答应用名"),
        "publish": ("did not let the stream begin", "未允许开始推流"),
    }[step]
    return OutputError(
        f"{target.host}:{target.port} accepted the connection and then {en} for "
        f"{CONNECT_SEC:.0f} s. Is it an RTMP server (not RTMPS), and is it well?",
        code="silent",
        zh=f"{target.host}:{target.port} 接受了连接，但{zh}（{CONNECT_SEC:.0f} 秒）。"
        "请确认它是 RTMP（而非 RTMPS）服务器且运行正常。",
    )


def not_rtmp(target: Target, tls: bool = False) -> OutputError:
    hint = "It speaks TLS: write rtmps:// instead of rtmp://." if tls else "Check the port."
    zh = "它使用 TLS：请把 rtmp:// 改为 rtmps://。" if tls else "请检查端口。"
    return OutputError(
        f"What answers at {target.host}:{target.port} does not speak RTMP. {hint}",
        code="not_rtmp",
        zh=f"{target.host}:{target.port} 的应答不是 RTMP。{zh}",
    )


def tls_failed(target: Target, why: str) -> OutputError:
    return OutputError(
        f"No secure connection to {target.host}:{target.port}: {why}. "
        "If this server has no TLS, write rtmp:// (its port is usually 1935).",
        code="tls",
        zh=f"无法与 {target.host}:{target.port} 建立安全连接：{why}。"
        "若该服务器不支持 TLS，请使用 rtmp://（端口通常为 1935）。",
    )


def certificate(target: Target, why: str) -> OutputError:
    return OutputError(
        f"The certificate of {target.host} is not valid: {why}. "
        "Its operator must renew it, or this machine's clock is wrong.",
        code="tls",
        zh=f"{target.host} 的证书无效：{why}。请服务器管理员更新证书，或检查本机时钟。",
    )


def hung_up(target: Target, why: str = "") -> OutputError:
    return OutputError(
        f"{target.host}:{target.port} accepted the connection and ended it before a word of RTMP"
        f"{why and f' ({why})'}. Is the server behind it running, and is this the right port? "
        f"{'Perhaps it wants rtmp://.' if target.tls else 'Perhaps it wants rtmps://.'}",
        code="closed",
        zh=f"{target.host}:{target.port} 接受连接后立即断开{why and f'（{why}）'}。"
        f"请确认其后的服务器在运行、端口正确，或改用 {'rtmp' if target.tls else 'rtmps'}://。",
    )


def rejected_app(target: Target, words: str = "") -> OutputError:
    said = _said(target, words)
    return OutputError(
        f"{target.address} does not accept the application in this address{said[0]}. "
        "Check the part between host and stream key.",
        code="rejected",
        zh=f"{target.address} 不接受该地址中的应用名{said[1]}，请检查主机与推流密钥之间的部分。",
    )


def rejected_key(target: Target, words: str = "") -> OutputError:
    said = _said(target, words)
    return OutputError(
        f"{target.label} refused the stream{said[0]}. Is the stream key right and still valid, "
        "and is nobody else on the air with it?",
        code="rejected",
        zh=f"{target.label} 拒绝了推流{said[1]}。"
        "请确认推流密钥正确且未过期，并且没有其他人正在使用。",
    )


def duplicate(target: Target, words: str = "") -> OutputError:
    said = _said(target, words)
    return OutputError(
        f"Somebody is already on the air at {target.label}{said[0]}. Stop the other publisher, "
        "or use another stream key.",
        code="duplicate",
        zh=f"{target.label} 已有其他推流{said[1]}。请停止另一路推流，或更换推流密钥。",
    )


def closed(target: Target, why: str = "") -> OutputError:
    return OutputError(
        f"{target.label} ended the connection{why and f' ({why})'}. Was the server restarted, or "
        "the stream stopped there?",
        code="closed",
        zh=f"{target.label} 断开了连接{why and f'（{why}）'}。"
        "服务器可能已重启，或在那边停止了推流。",
    )


def stalled(target: Target) -> OutputError:
    return OutputError(
        f"{target.label} no longer takes anything. Its server hangs, or the network to it is down.",
        code="stalled",
        zh=f"{target.label} 已不再接收数据，服务器可能卡死或网络中断。",
    )


def clock_full(target: Target) -> OutputError:
    return OutputError(
        f"{target.label} has been on the air for 24 days, as long as RTMP's clock lasts; "
        "the stream begins anew.",
        code="renewed",
        zh=f"{target.label} 已连续推流 24 天，达到 RTMP 时间戳上限，将重新开始推流。",
    )


def rejected_publish(target: Target, code: str, words: str) -> OutputError:
    """A server's answer to ``publish``. code: such as NetStream.Publish.BadName."""
    said = words if words and words != code else code
    taken = bool(_TAKEN.search(words)) if words else code.endswith("BadName")
    if taken and not _WRONG.search(words):
        return duplicate(target, said)
    return rejected_key(target, said)


def while_connecting(error: OSError, target: Target) -> OutputError:
    """What the system says when a connection cannot be made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return certificate(target, error.verify_message)
    if isinstance(error, ssl.SSLError):
        return tls_failed(target, (error.reason or "it broke off").replace("_", " ").lower())
    if isinstance(error, socket.gaierror):
        return unknown_host(target)
    if isinstance(error, ConnectionRefusedError):
        return refused(target)
    return unreachable(target, error.strerror or str(error) or type(error).__name__)


def _said(target: Target, words: str) -> tuple[str, str]:
    """A server's own words, shortened, without secrets, to go into a sentence."""
    words = " ".join(target.hide(words).split())[:200]
    return (f' (it says: "{words}")', f"（服务器返回：“{words}”）") if words else ("", "")
