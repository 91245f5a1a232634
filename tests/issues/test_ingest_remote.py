from ipaddress import ip_network

import pytest

from issues.ingest.remote import TrustedProxies, normal_address

PROXIES = TrustedProxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.2.3.4", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1,198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", '"[2001:db8::7]:4711"', "2001:db8::7"),
        ("fd00::1", "2001:DB8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", ""),
        ("unix:", "198.51.100.1", ""),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(
    peer: str, forwarded: str, client: str
) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_without_trusted_proxies_only_the_peer_counts() -> None:
    nobody = TrustedProxies([])
    assert not nobody.any
    assert nobody.client("10.0.0.1", "198.51.100.1") == "10.0.0.1"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("2001:0DB8::0007", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.256", ""),
        ("x" * 5000, ""),
    ],
)
def test_addresses_have_one_form(text: str, normal: str) -> None:
    assert normal_address(text) == normal
