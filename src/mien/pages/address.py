"""Which network addresses are the public internet's, and how a host may be written.

A page is fetched from inside the network of whoever runs mien, so an address found in the web must
not lead to that network, to this machine or to a cloud's metadata service (server-side request
forgery, CWE-918).
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# IANA's registries of special-purpose addresses, RFC 6890 and its successors. Spelt out, because
# what `is_global` says differs between Python's patch releases.
_NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; 100.100.100.200 is Alibaba Cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host, a public address in nobody's internet
        "169.254.0.0/16",  # link-local; 169.254.169.254 is most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is Oracle Cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks; proxies give names made-up addresses in it
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Only this block is handed out at all: unique-local fc00::/7 (with fd00:ec2::254), link-local,
# site-local, multicast, loopback, IPv4-mapped, discard 100::/64, SRv6 5f00::/16 lie outside.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: has an IPv4 address inside
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# RFC 6052: with DNS64, all sites that have no IPv6 have such an address.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_LOCAL_NAMES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)


def is_public(address: IPAddress) -> bool:
    """Whether it belongs to the public internet and to a single host."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in block for block in _NOT_PUBLIC_V4)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _PUBLIC_V6 and not any(address in block for block in _NOT_PUBLIC_V6)


def is_local_name(host: str) -> bool:
    """Whether a name, as `canonical_host` gives it, never means a host of the internet.

    localhost and its subdomains (RFC 6761), .local (6762), home.arpa (8375), .internal (ICANN),
    and names without a dot, which a resolver completes with the local domain.
    """
    return "." not in host or any(host.endswith("." + name) for name in _LOCAL_NAMES)


def canonical_host(written: str) -> str | IPAddress:
    """The host a URL means, read as browsers do (WHATWG URL, host parsing); ValueError for none.

    Percent-encoding, full-width letters and digits, and other scripts (IDNA) become ASCII; numbers
    in any base and any count of parts become the IPv4 address they stand for.
    """
    if written.startswith("["):
        if not written.endswith("]") or "%" in written:  # a zone is of this machine only
            raise ValueError("not an address")
        return ipaddress.IPv6Address(written[1:-1])
    host = _decoded(written)
    if not host.isascii():
        host = _ascii(host)
    host = host.lower().removesuffix(".")
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise ValueError("not a name")
    last = host.rpartition(".")[2]
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last):
        return _ipv4(host)
    return host


def _decoded(text: str) -> str:
    if "%" not in text:
        return text
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())
    return raw.decode("utf-8")  # UnicodeDecodeError is a ValueError


def _ascii(host: str) -> str:
    import idna

    # What still looks like ASCII afterwards (full-width digits) is no business of IDNA's.
    host = unicodedata.normalize("NFKC", host).translate({0x3002: ".", 0xFF0E: ".", 0xFF61: "."})
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


def _ipv4(host: str) -> ipaddress.IPv4Address:
    parts = [_number(part) for part in host.split(".")]
    if len(parts) > 4 or any(part > 255 for part in parts[:-1]):
        raise ValueError("not an address")
    value = parts[-1]
    if value >= 256 ** (5 - len(parts)):
        raise ValueError("not an address")
    for position, part in enumerate(parts[:-1]):
        value += part << (8 * (3 - position))
    return ipaddress.IPv4Address(value)


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    if len(part) > 1 and part.startswith("0"):
        return int(part, 8)
    return int(part, 10)
