"""Whether a URL may be fetched, and from which addresses (CWE-918, server-side request forgery)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from mien.pages.address import IPAddress, canonical_host, is_local_name, is_public
from mien.pages.contract import BlockedAddress, PageError

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name, for a port."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PORTS = {"http": 80, "https": 443}
_MAX_URL = 4096
_FAKE_IP = ipaddress.IPv4Network("198.18.0.0/15")
# Anything that two parsers could read differently; RFC 3986 has none of it.
_NEVER = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff]")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart once; what is connected to and sent is built from these parts only.

    host: a name in ASCII, or an IP address. path: with the query, percent-encoded.
    addresses: those that were checked, in the order they are tried; () before that. exempt: it was
    let through because it is allowed, not because it is public.
    """

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...] = ()
    exempt: bool = False

    @property
    def authority(self) -> str:
        """As in a URL and in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        return self.origin + self.path


def parse_url(url: str) -> Target:
    """Take a URL apart; its fragment goes. Raises BlockedAddress for what is not plain http(s)."""
    url = url.strip(" ")
    if not url or len(url) > _MAX_URL or _NEVER.search(url):
        raise _blocked("not a URL", "不是有效的网址")
    try:
        parts = urlsplit(url)
        scheme = parts.scheme
        if scheme not in _PORTS:
            raise _blocked(
                "only http and https pages can be read", "只能读取 http 和 https 开头的网页"
            )
        if "@" in parts.netloc:
            raise _blocked("URLs with a user name are not opened", "不打开带用户名的网址")
        match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]+)(?::([0-9]{0,5}))?", parts.netloc, re.ASCII)
        if match is None:
            raise ValueError("no host")
        host = canonical_host(match[1])
        port = int(match[2]) if match[2] else _PORTS[scheme]
        if not 0 < port < 65536:
            raise ValueError("no port")
    except (ValueError, UnicodeError) as error:
        raise _blocked("not a URL", "不是有效的网址") from error
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?") if parts.query else ""
    return Target(scheme, str(host), port, path + query)


def join_url(base: Target, location: str) -> str:
    """Where a redirect leads; checked by whoever opens it. Servers leave spaces as they are."""
    try:
        return urljoin(base.url, location.strip(" ").replace(" ", "%20"))
    except ValueError as error:
        raise _blocked("not a URL", "不是有效的网址") from error


class Guard:
    """Lets through public web servers only, and says by which addresses they may be reached.

    allow_hosts: what may be read although it is not public: a name or address, on any port or on
    the one that is given, or a network ("10.2.0.0/16") in which public names and addresses may lie.
    A network opens neither other ports nor names of the local network: those are allowed by name.
    resolve: in place of the system's resolver. Its answer is used for one connection and then
    forgotten, so that a name cannot mean one address when checked and another when connected to.
    """

    def __init__(self, allow_hosts: Iterable[str] = (), resolve: Resolve | None = None) -> None:
        self._networks: list[Network] = []
        self._allowed: set[tuple[str, int | None]] = set()
        for entry in allow_hosts:
            if "/" in entry:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            else:
                self._allowed.add(_allowed(entry))
        # A proxy gives those to public names; a redirect from one to the next is as ever.
        self._made_up = [n for n in self._networks if n.version == 4 and n.subnet_of(_FAKE_IP)]
        self._resolve = resolve or self._ask_system
        # Not the loop's own threads, which are few and needed: a lookup can take half a minute.
        self._threads = ThreadPoolExecutor(8, "dns")

    def close(self) -> None:
        """Look up no more. A lookup under way ends by itself, in its thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def resolve(self, url: str, *, exempt: bool = True) -> Target:
        """Check a URL and find its addresses. Raises BlockedAddress, or PageError for no host.

        exempt: whether allow_hosts counts. It does not where a public page leads: a stranger could
        have us ask something of the local network, and tell the answer.
        """
        target = parse_url(url)
        networks = self._networks if exempt else self._made_up
        exempt = exempt and self._exempt(target)
        if not exempt and target.port not in _PORTS.values():
            raise _blocked(
                f"port {target.port} is not a web server's", f"端口 {target.port} 不是网站的端口"
            )
        literal = _literal(target.host)
        if literal is None and not exempt and is_local_name(target.host):
            raise _blocked(f"{target.host} is not on the internet", f"{target.host} 不在互联网上")
        addresses = [literal] if literal else await self._lookup(target)
        if not exempt:
            checked = [_check(target.host, address, networks) for address in addresses]
            exempt = not all(checked)
        # IPv4 first: where IPv6 leads nowhere, finding that out takes as long as the whole page.
        ordered = sorted(dict.fromkeys(addresses), key=lambda address: address.version)
        return Target(
            target.scheme, target.host, target.port, target.path, tuple(map(str, ordered)), exempt
        )

    def _exempt(self, target: Target) -> bool:
        return not self._allowed.isdisjoint({(target.host, None), (target.host, target.port)})

    async def _lookup(self, target: Target) -> list[IPAddress]:
        try:
            found = await self._resolve(target.host, target.port)
            addresses = [ipaddress.ip_address(address) for address in found]
        except (OSError, ValueError) as error:
            raise _unknown(target.host) from error
        if not addresses:
            raise _unknown(target.host)
        return addresses

    async def _ask_system(self, host: str, port: int) -> list[str]:
        infos = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [str(info[4][0]) for info in infos]


def _check(host: str, address: IPAddress, networks: Iterable[Network]) -> bool:
    """Whether it is public; False if it is not, but in one of the networks."""
    if is_public(address):
        return True
    if any(address in network for network in networks):
        return False
    if address in _FAKE_IP:
        raise _blocked(
            f"{host} has the made-up address {address}; a proxy on this machine (fake-ip) does "
            'that. If so, add "198.18.0.0/15" to search.allow_hosts',
            f"{host} 的地址 {address} 是本机代理（fake-ip 模式）虚构的；"
            "如确是代理所为，请在 search.allow_hosts 里加上 198.18.0.0/15",
        )
    raise _blocked(f"{host} is not on the public internet", f"{host} 不在公共互联网上，不能读取")


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _allowed(entry: str) -> tuple[str, int | None]:
    """(host, port) of an entry of allow_hosts; ValueError for what is none."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]+)(?::([0-9]{1,5}))?", entry)
    bare_v6 = None if match else _literal(entry)
    if bare_v6 is not None:
        return str(bare_v6), None
    if match is None:
        raise ValueError(f"{entry!r} in search.allow_hosts is not a host")
    return str(canonical_host(match[1])), int(match[2]) if match[2] else None


def _unknown(host: str) -> PageError:
    return PageError(f"there is no site named {host}", f"找不到网站 {host}")


def _blocked(message: str, zh: str) -> BlockedAddress:
    return BlockedAddress(message, zh)
