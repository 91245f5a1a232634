from ipaddress import ip_address, ip_network

import pytest

from tenants.addresses import refusal_of


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.215.14",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "223.255.255.255",
        "::ffff:93.184.215.14",
        "64:ff9b::93.184.215.14",
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
        "2a00:1450:4001:82b::200e",
    ],
)
def test_public_addresses_may_be_called(address: str) -> None:
    assert refusal_of(ip_address(address), []) == ""


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.20.3.4", "10.20.0.0/16"),
        ("::ffff:10.20.3.4", "10.20.0.0/16"),
        ("64:ff9b::10.20.3.4", "10.20.0.0/16"),
        ("fd12:3456::7", "fd12:3456::/32"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_an_allowed_network_may_be_called(address: str, network: str) -> None:
    assert refusal_of(ip_address(address), [ip_network(network)]) == ""


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("10.0.0.1", "a private address"),
        ("169.254.169.254", "the metadata service of a cloud"),
        ("::1", "this machine itself"),
        ("fe80::1", "a link-local address"),
        ("4000::1", "not an address of the public internet"),
    ],
)
def test_the_reason_is_named(address: str, reason: str) -> None:
    assert refusal_of(ip_address(address), []) == reason
