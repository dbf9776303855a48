"""Which URLs and addresses are the public web's, however they are written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.pages.address import canonical_host, is_public
from mien.pages.contract import BlockedAddress, PageError
from mien.pages.guard import Guard, join_url, parse_url

NOT_PUBLIC = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1
127.255.255.254 168.63.129.16 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1
192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1
64:ff9b:1::1 100::1 2001::1 2001:0:53aa:64c::1 2001:2::1 2001:10::1 2001:db8::1 2002:7f00:1::
2002:808:808::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%lo fec0::1 ff02::1
""".split()
PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1
172.15.255.255 172.32.0.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 223.5.5.5
2400:3200::1 2606:4700::1111 2a00:1450:4001::1 64:ff9b::808:808
""".split()


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("0xA9.0xFE.43518", "169.254.169.254"),
        ("0", "0.0.0.0"),
        ("0x", "0.0.0.0"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.0.0.%31", "127.0.0.1"),
        ("１２７.０.０.１", "127.0.0.1"),
        ("127。0．0｡1", "127.0.0.1"),
        ("①②⑦.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::ffff:127.0.0.1]", "::ffff:7f00:1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("LOCALHOST.", "localhost"),
        ("ⓛocalhost", "localhost"),
        ("l%6Fcalhost", "localhost"),
        ("Example.COM.", "example.com"),
        ("例子.测试", "xn--fsqu00a.xn--0zwm56d"),
        ("a_b.example.com", "a_b.example.com"),
    ],
)
def test_hosts_are_read_as_browsers_read_them(written: str, meant: str) -> None:
    host = canonical_host(written)
    if not isinstance(host, str):
        assert host == ipaddress.ip_address(meant)
    else:
        assert host == meant


@given(st.ip_addresses(v=4), st.data())
def test_any_spelling_of_an_address_is_that_address(
    address: ipaddress.IPv4Address, data: st.DataObject
) -> None:
    parts = data.draw(st.integers(1, 4))
    value = int(address)
    numbers = [value >> 8 * (3 - i) & 0xFF for i in range(parts - 1)]
    numbers.append(value & (1 << 8 * (5 - parts)) - 1)
    spelt = [data.draw(st.sampled_from([str(n), hex(n), f"0{n:o}"])) for n in numbers]
    assert canonical_host(".".join(spelt)) == address


@pytest.mark.parametrize(
    "written",
    [
        *("1.2.3.4.5 256.1.1.1 4294967296 08.0.0.1 0x1g.1 1..2 a..b .a [::1 [::1]x".split()),
        *("[fe80::1%25lo] %00.com a%2fb.com a%zz.com -a.com".split()),
        *("", "a" * 64 + ".com", "a." * 127 + "com"),
    ],
)
def test_what_is_no_host(written: str) -> None:
    with pytest.raises(ValueError):
        canonical_host(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HTTP://Example.com", "http://example.com/"),
        ("https://example.com:443/a#part", "https://example.com/a"),
        ("http://example.com:443/", "http://example.com:443/"),
        (
            "https://例子.测试/路?问=答 ",
            "https://xn--fsqu00a.xn--0zwm56d/%E8%B7%AF?%E9%97%AE=%E7%AD%94",
        ),
        ("https://example.com/a%20b?c=%2F&d", "https://example.com/a%20b?c=%2F&d"),
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/"),
    ],
)
def test_urls_are_put_together_again_in_one_way(written: str, meant: str) -> None:
    assert parse_url(written).url == meant
    assert parse_url(meant).url == meant


def test_user_names_are_refused_as_such() -> None:
    for url in ("http://good.example@127.0.0.1/", "https://user:pass@example.com/", "http://@a.b/"):
        with pytest.raises(BlockedAddress, match="user name"):
            parse_url(url)
    assert parse_url("https://example.com/@user").path == "/@user"


def test_redirects_are_joined() -> None:
    base = parse_url("https://a.example/x/y?z")
    assert join_url(base, "../w v") == "https://a.example/w%20v"
    assert join_url(base, "//b.example/") == "https://b.example/"
    with pytest.raises(BlockedAddress):
        join_url(base, "http://[::1")


class Names:
    """A resolver that counts."""

    def __init__(self, **addresses: str) -> None:
        self.asked: list[str] = []
        self._addresses = {f"{name}.example": a.split() for name, a in addresses.items()}

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self._addresses.get(host, [])


async def test_the_addresses_checked_are_given_once_each_ipv4_first() -> None:
    names = Names(a="2606:4700::1111 1.1.1.1 1.1.1.1")
    target = await Guard(resolve=names).resolve("https://a.example/x")
    assert (target.host, target.port, target.path) == ("a.example", 443, "/x")
    assert target.addresses == ("1.1.1.1", "2606:4700::1111")
    assert names.asked == ["a.example"]


async def test_one_bad_address_among_good_ones_is_enough() -> None:
    names = Names(a="1.1.1.1 192.168.1.1", b="1.1.1.1 ::1")
    for host in ("a", "b"):
        with pytest.raises(BlockedAddress):
            await Guard(resolve=names).resolve(f"http://{host}.example/")


async def test_allowed_hosts_are_the_only_exemption() -> None:
    names = Names(wiki="10.2.0.7", other="10.2.0.7", far="10.9.0.1")
    guard = Guard(["wiki.example", "other.example:8080", "127.0.0.1:99", "::1"], names)
    assert (await guard.resolve("http://wiki.example:3000/")).addresses == ("10.2.0.7",)
    assert (await guard.resolve("http://WIKI.example./")).addresses == ("10.2.0.7",)
    assert (await guard.resolve("http://other.example:8080/")).port == 8080
    assert (await guard.resolve("http://127.1:99/")).addresses == ("127.0.0.1",)
    assert (await guard.resolve("http://[::1]:5/")).addresses == ("::1",)
    for url in (
        "http://other.example/",
        "http://127.0.0.1/",
        "http://x.wiki.example/",
        "http://10.2.0.7/",
        "http://far.example/",
    ):
        with pytest.raises(PageError):
            await guard.resolve(url)


async def test_a_network_can_be_allowed_for_the_names_in_it() -> None:
    names = Names(a="198.18.3.4", b="10.0.0.1")
    with pytest.raises(BlockedAddress, match="fake-ip") as blocked:
        await Guard(resolve=names).resolve("https://a.example/")
    assert "198.18.0.0/15" in blocked.value.zh
    guard = Guard(["198.18.0.0/15"], names)
    assert (await guard.resolve("https://a.example/")).addresses == ("198.18.3.4",)
    for url in ("https://b.example/", "https://a.example:8080/"):
        with pytest.raises(BlockedAddress):
            await guard.resolve(url)


async def test_a_network_opens_neither_ports_nor_names_of_the_intranet() -> None:
    guard = Guard(["10.2.0.0/16"], Names(a="10.2.0.7"))
    assert (await guard.resolve("http://a.example/")).exempt
    assert (await guard.resolve("http://10.2.0.7/")).exempt
    for url in ("http://a.example:8080/", "http://10.2.0.7:8080/", "http://wiki.lan/"):
        with pytest.raises(BlockedAddress):
            await guard.resolve(url)


async def test_where_a_public_page_leads_nothing_is_exempt() -> None:
    names = Names(a="10.2.0.7", public="1.1.1.1", fake="198.18.3.4")
    guard = Guard(["10.2.0.0/16", "wiki.example", "public.example", "198.18.0.0/15"], names)
    assert (await guard.resolve("http://public.example/")).exempt, "whatever its address is"
    assert not (await guard.resolve("http://public.example/", exempt=False)).exempt
    for url in ("http://a.example/", "http://wiki.example/", "http://public.example:8080/"):
        with pytest.raises(PageError):
            await guard.resolve(url, exempt=False)
    # Addresses that a proxy makes up are the public web's.
    assert (await guard.resolve("http://fake.example/", exempt=False)).addresses == ("198.18.3.4",)


@pytest.mark.parametrize("entry", ["", "a b", "host:port", "10.0.0.0/40", "http://a.example/"])
def test_an_entry_that_is_no_host_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError):
        Guard([entry])


async def test_the_system_resolver_is_asked_in_a_thread() -> None:
    guard = Guard(["localhost"])
    try:
        target = await guard.resolve("http://localhost:8080/")
        assert set(target.addresses) <= {"127.0.0.1", "::1"}
        assert target.addresses
    finally:
        guard.close()
