"""What goes wrong on the way to a WHIP server, in words that say what to do."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator

import httpx

from mien.media.output import OutputError
from mien.media.whip.url import Endpoint

# Each step's limit: to connect and be answered over HTTP, and then to reach it by UDP.
HTTP_SEC = 5.0
MEDIA_SEC = 5.0
STALLED_SEC = 4.0


def while_asking(error: Exception, to: Endpoint) -> OutputError:
    """What httpx says when there is no response."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(to, cause.verify_message)
        if isinstance(cause, ssl.SSLError):
            return _tls(to, (cause.reason or "it broke off").replace("_", " ").lower())
        if isinstance(cause, socket.gaierror):
            return _unknown_host(to)
        if isinstance(cause, ConnectionRefusedError):
            return _refused(to)
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return _silent(to)
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return _not_http(to)
    return _unreachable(to)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """``error``, and all that led to it."""
    seen: set[int] = set()
    todo = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            todo += one.exceptions


def _unknown_host(to: Endpoint) -> OutputError:
    return OutputError(
        f"No server is known by the name {to.host}. "
        "Check how it is spelled, and this machine's network.",
        code="unknown_host",
        zh=f"找不到主机 {to.host}，请检查拼写和本机网络。",
    )


def _refused(to: Endpoint) -> OutputError:
    return OutputError(
        f"{to.host} is there, but nothing listens on port {to.port}. "
        "Is the media server running, and is this the port of its WHIP endpoint?",
        code="refused",
        zh=f"{to.host} 的 {to.port} 端口没有服务，请确认流媒体服务器已启动、WHIP 端口正确。",
    )


def _unreachable(to: Endpoint) -> OutputError:
    return OutputError(
        f"{to.address} cannot be reached. Check address and port, and firewalls on the way.",
        code="unreachable",
        zh=f"无法连接 {to.address}，请检查地址、端口和防火墙。",
    )


def _silent(to: Endpoint) -> OutputError:
    return OutputError(
        f"{to.address} did not answer within {HTTP_SEC:.0f} s. "
        "Is it a WHIP server, is it well, and does a firewall let us through?",
        code="silent",
        zh=f"{to.address} 在 {HTTP_SEC:.0f} 秒内没有应答，"
        "请确认它是 WHIP 服务器、运行正常且未被防火墙阻挡。",
    )


def _not_http(to: Endpoint) -> OutputError:
    return OutputError(
        f"What answers at {to.address} does not speak HTTP, or hung up. "
        "Check the port, and whether it wants https://.",
        code="not_http",
        zh=f"{to.address} 的应答不是 HTTP 或中途断开，请检查端口以及是否应使用 https://。",
    )


def _tls(to: Endpoint, why: str) -> OutputError:
    return OutputError(
        f"No secure connection to {to.host}:{to.port}: {why}. "
        "If this server has no TLS, write whip:http://.",
        code="tls",
        zh=f"无法与 {to.host}:{to.port} 建立安全连接：{why}。若该服务器不支持 TLS，请使用 whip:http://。",
    )


def _certificate(to: Endpoint, why: str) -> OutputError:
    return OutputError(
        f"The certificate of {to.host} is not valid: {why}. "
        "Its operator must renew it, or this machine's clock is wrong.",
        code="tls",
        zh=f"{to.host} 的证书无效：{why}。请服务器管理员更新证书，或检查本机时钟。",
    )


def refusal(status: int, kind: str, text: str, to: Endpoint) -> OutputError:
    """A response that is not 201 Created with SDP. kind: its media type. text: its body."""
    said, zh_said = _said(kind, text, to)
    if status in (401, 403):
        lacks = "does not take this token" if to.token else "wants a token"
        zh_lacks = "不接受该令牌" if to.token else "需要令牌"
        return OutputError(
            f"{to.address} {lacks} ({status}){said}. Check the bearer token.",
            code="rejected",
            zh=f"{to.address} {zh_lacks}（{status}）{zh_said}，请检查 bearer token。",
        )
    if status in (404, 405, 410):
        return OutputError(
            f"{to.address} has no WHIP endpoint at this address ({status}){said}. "
            "Check the part behind the host.",
            code="rejected",
            zh=f"{to.address} 在该路径没有 WHIP 端点（{status}）{zh_said}，请检查主机之后的部分。",
        )
    if status == 409:
        return OutputError(
            f"Somebody is already on the air at {to.label} (409){said}. "
            "Stop the other publisher, or use another stream.",
            code="duplicate",
            zh=f"{to.label} 已有其他推流（409）{zh_said}。请停止另一路推流，或更换流名称。",
        )
    if 300 <= status < 400:
        return OutputError(
            f"{to.address} sends us elsewhere in a way that WHIP does not know ({status}). "
            "Use the address that it leads to.",
            code="rejected",
            zh=f"{to.address} 返回了 WHIP 不支持的重定向（{status}），请直接使用目标地址。",
        )
    if status in (429, 503):
        return OutputError(
            f"{to.address} has no room at the moment ({status}){said}.",
            code="busy",
            zh=f"{to.address} 暂时繁忙（{status}）{zh_said}。",
        )
    if status >= 500:
        return OutputError(
            f"{to.address} failed ({status}){said}. Its own log says why.",
            code="server_error",
            zh=f"{to.address} 内部出错（{status}）{zh_said}，请查看该服务器日志。",
        )
    if status < 300:
        return OutputError(
            f"{to.address} answered {status} without an SDP answer. Is it a WHIP endpoint?",
            code="rejected",
            zh=f"{to.address} 返回 {status} 但没有 SDP 应答，它是 WHIP 端点吗？",
        )
    return OutputError(
        f"{to.address} does not take what we send ({status}){said}. "
        "It must accept H.264 and Opus by WHIP.",
        code="rejected",
        zh=f"{to.address} 不接受我们的推流（{status}）{zh_said}。它需要支持 WHIP、H.264 和 Opus。",
    )


def too_many_redirects(to: Endpoint) -> OutputError:
    return OutputError(
        f"{to.address} sends us from address to address without end.",
        code="rejected",
        zh=f"{to.address} 重定向次数过多。",
    )


def bad_answer(to: Endpoint, why: str) -> OutputError:
    return OutputError(
        f"{to.address} gave an answer that cannot be used: {to.hide(why)}.",
        code="rejected",
        zh=f"{to.address} 返回的 SDP 应答无法使用：{to.hide(why)}。",
    )


def no_media_path(to: Endpoint) -> OutputError:
    return OutputError(
        f"{to.address} took the offer, but within {MEDIA_SEC:.0f} s no way for the media "
        "was found. Does the server announce an address that can be reached from here (SRS: "
        "CANDIDATE), and does UDP pass the firewalls? Else a TURN server helps.",
        code="no_media_path",
        zh=f"{to.address} 接受了推流请求，但 {MEDIA_SEC:.0f} 秒内未能建立媒体通道。"
        "请确认服务器公布的地址（SRS：CANDIDATE）可从本机访问、防火墙放行 UDP，或配置 TURN。",
    )


def closed(to: Endpoint) -> OutputError:
    return OutputError(
        f"{to.label} ended the connection. Was the server restarted, or the stream stopped there?",
        code="closed",
        zh=f"{to.label} 断开了连接。服务器可能已重启，或在那边停止了推流。",
    )


def stalled(to: Endpoint) -> OutputError:
    return OutputError(
        f"{to.label} has not been heard of for {STALLED_SEC:.0f} s. Its server hangs or is gone, "
        "or the network to it is down.",
        code="stalled",
        zh=f"{to.label} 已 {STALLED_SEC:.0f} 秒没有反馈，服务器可能卡死、已停止，或网络中断。",
    )


def _said(kind: str, text: str, to: Endpoint) -> tuple[str, str]:
    """A server's own words, shortened, without secrets, to go into a sentence."""
    words = " ".join(to.hide(_words(kind, text)).split())[:200]
    return (f': "{words}"', f"：“{words}”") if words else ("", "")


def _words(kind: str, text: str) -> str:
    if kind == "text/html":
        title = re.search(r"<title[^>]*>(.*?)</title>", text[:4000], re.I | re.S)
        return title[1] if title else ""
    if kind.endswith("json"):
        return _json_words(text)
    return text[:4000]


def _json_words(text: str) -> str:
    """Of RFC 9457, and of what servers make up themselves."""
    try:
        body = json.loads(text)
    except ValueError:
        return ""
    names = ("detail", "message", "error", "title", "code")
    found = [body.get(name) for name in names] if isinstance(body, dict) else [body]
    return next((str(one) for one in found if isinstance(one, str | int) and one), "")
