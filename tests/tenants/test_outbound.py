import datetime
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django import Settings

from tenants.outbound import AddressRefused, OutboundError, Request, resolve_name, send
from tests.receiver import Receiver, Reply, receiving
from tests.running import free_port

HERE = [ip_network("127.0.0.0/8")]
PUBLIC = "93.184.215.14"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def refused(url: str, *addresses: str) -> str:
    """Why a request to ``url``, whose host has these addresses, is refused."""

    def resolve(host: str, port: int) -> list[str]:
        return list(addresses) or resolve_name(host, port)

    with pytest.raises(AddressRefused) as caught:
        send(Request("POST", url), resolve=resolve, allowed=[])
    assert caught.value.permanent
    assert not caught.value.reached
    return str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.8.8.8",
        "168.63.129.16",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "::ffff:0:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::10.0.0.1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:0a00:0001::1",
        "2002:7f00:0001::",
        "2607:f8b0::5efe:10.0.0.1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_a_name_must_not_lead_to_an_address_that_is_not_public(address: str) -> None:
    told = refused("https://cd.example.com/hook", address)

    assert "cd.example.com leads to" in told
    assert "OUTBOUND_ALLOWED_NETWORKS" in told


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1./",
        "http://127.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[0:0:0:0:0:ffff:7f00:1]/",
        "http://[64:ff9b::127.0.0.1]/",
        # Digits of other scripts are digits to the resolver.
        "http://①②⑦.0.0.1/",
        "http://127。0。0。1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/",
    ],
)
def test_an_address_is_refused_however_it_is_spelt(url: str) -> None:
    assert "requests do not go there" in refused(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cd.example.com",
        "//cd.example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "ftp://cd.example.com/",
        "https:///hook",
        "https://",
        "https://user@cd.example.com/",
        "https://user:secret@cd.example.com/",
        "https://cd.example.com@127.0.0.1/",
        "https://cd.example.com\\@127.0.0.1/",
        "https://127.0.0.1%00.example.com/",
        "https://[fe80::1%25eth0]/",
        "https://cd.example.com:port/",
        "https://cd.example.com:99999/",
        "https://cd.example.com/a b",
        "https://cd.example.com/\r\nX-Evil: 1",
        "https://cd.example.com/\x00",
        "https://[::1/",
        f"https://{'a' * 64}.example.com/",
        "https://cd.example.com/naïve",
    ],
)
def test_a_url_that_is_none_is_refused_before_any_name_is_looked_up(url: str) -> None:
    looked_up: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    with pytest.raises(AddressRefused):
        send(Request("POST", url), resolve=resolve, allowed=HERE, seconds=1)

    assert looked_up in ([], ["cd.example.com"])


def test_every_address_of_a_name_must_be_public() -> None:
    assert "10.0.0.5" in refused("https://cd.example.com/", PUBLIC, "10.0.0.5")


def test_what_is_no_address_is_refused() -> None:
    assert "is not an address" in refused("https://cd.example.com/", "nonsense")


def test_a_network_of_ones_own_may_be_allowed(receiver: Receiver) -> None:
    answer = send(Request("POST", receiver.url, body=b"{}"), allowed=HERE)

    assert answer.status == 200
    assert receiver.requests[0].body == b"{}"


def test_the_setting_names_the_allowed_networks(
    receiver: Receiver, settings: Settings
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = HERE

    assert send(Request("GET", receiver.url)).status == 200


def test_an_allowed_network_opens_no_other(receiver: Receiver) -> None:
    with pytest.raises(AddressRefused):
        send(Request("GET", receiver.url), allowed=[ip_network("10.0.0.0/8")])

    assert receiver.requests == []


def test_a_name_is_looked_up_once_and_the_checked_address_is_called(
    receiver: Receiver,
) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    answer = send(
        Request("POST", f"http://cd.example.com:{receiver.port}/hook?x=1"),
        resolve=lambda host, port: next(answers),
        allowed=HERE,
    )

    assert answer.status == 200
    assert next(answers) == ["10.0.0.1"]
    assert receiver.requests[0].headers["host"] == f"cd.example.com:{receiver.port}"
    assert receiver.requests[0].path == "/hook?x=1"


def test_the_next_address_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    answer = send(
        Request("GET", f"http://cd.example.com:{receiver.port}/"),
        resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"],
        allowed=HERE,
    )

    assert answer.status == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.reply = Reply(status, headers={"Location": f"{receiver.url}/elsewhere"})

    answer = send(Request("POST", f"{receiver.url}/hook"), allowed=HERE)

    assert answer.status == status
    assert answer.headers["location"].endswith("/elsewhere")
    assert [request.path for request in receiver.requests] == ["/hook"]


def test_proxies_of_the_environment_are_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

    assert send(Request("GET", receiver.url), allowed=HERE).status == 200


def test_a_large_answer_is_cut(receiver: Receiver) -> None:
    receiver.reply = Reply(body=b"x" * 300_000)

    answer = send(Request("GET", receiver.url), allowed=HERE, most_bytes=1000)

    assert answer.cut
    assert answer.body == b"x" * 1000


def test_a_packed_answer_is_not_unpacked(receiver: Receiver) -> None:
    receiver.reply = Reply(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    answer = send(Request("GET", receiver.url), allowed=HERE)

    assert answer.body == b"\x1f\x8b"
    assert receiver.requests[0].headers["accept-encoding"] == "identity"


def test_the_answer_reads_as_text_and_as_json(receiver: Receiver) -> None:
    receiver.reply = Reply(201, b'{"id": 7}')

    answer = send(Request("GET", receiver.url), allowed=HERE)

    assert answer.json() == {"id": 7}
    assert answer.text == '{"id": 7}'


def test_an_answer_that_is_no_json_is_none(receiver: Receiver) -> None:
    receiver.reply = Reply(200, b"<html>\xff")

    answer = send(Request("GET", receiver.url), allowed=HERE)

    assert answer.json() is None
    assert answer.text == "<html>\ufffd"


def failure(url: str, **options: float) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        send(Request("POST", url, body=b"{}"), allowed=HERE, **options)  # type: ignore[arg-type]
    return caught.value


def test_a_closed_port_was_surely_not_reached() -> None:
    error = failure(f"http://127.0.0.1:{free_port()}/")

    assert (error.permanent, error.reached) == (False, False)


def test_an_unknown_name_was_surely_not_reached() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(OutboundError) as caught:
        send(Request("POST", "https://cd.example.com/"), resolve=resolve)

    assert (caught.value.permanent, caught.value.reached) == (False, False)
    assert "cd.example.com was not found" in str(caught.value)


def test_a_resolver_that_hangs_does_not_hold_the_caller() -> None:
    released = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        released.wait(5)
        return [PUBLIC]

    began = time.monotonic()
    with pytest.raises(OutboundError) as caught:
        send(Request("POST", "https://cd.example.com/"), resolve=resolve, seconds=0.1)
    released.set()

    assert time.monotonic() - began < 2
    assert not caught.value.reached


def test_silence_after_the_request_leaves_the_outcome_unknown(
    receiver: Receiver,
) -> None:
    receiver.reply = Reply(delay=2)

    error = failure(receiver.url, seconds=0.3)

    assert (error.permanent, error.reached) == (False, True)
    assert "did not answer in time" in str(error)


def test_a_connection_cut_after_the_request_leaves_the_outcome_unknown(
    receiver: Receiver,
) -> None:
    receiver.reply = Reply(hang_up=True)

    error = failure(receiver.url)

    assert (error.permanent, error.reached) == (False, True)


@contextmanager
def dripping(text: bytes) -> Iterator[int]:
    """A server that sends one byte of ``text`` every 50 ms; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    for number in range(len(text)):
                        connection.sendall(text[number : number + 1])
                        time.sleep(0.05)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 500,
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"x" * 500,
    ],
)
def test_an_answer_that_drips_ends_in_time(text: bytes) -> None:
    with dripping(text) as port:
        began = time.monotonic()

        error = failure(f"http://127.0.0.1:{port}/", seconds=0.4)

    assert time.monotonic() - began < 2
    assert error.reached


def test_what_is_no_http_is_an_error() -> None:
    with dripping(b"220 mail ready\r\n\r\n") as port:
        error = failure(f"http://127.0.0.1:{port}/", seconds=3)

    assert error.reached


def test_a_header_with_a_line_break_is_refused(receiver: Receiver) -> None:
    request = Request("POST", receiver.url, {"X-Name": "a\r\nX-Evil: 1"})

    with pytest.raises(AddressRefused):
        send(request, allowed=HERE)

    assert receiver.requests == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a key and a certificate for cd.example.com, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cd.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("cd.example.com")]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "cd.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with receiving(context) as running:
        yield running


def called_with_tls(name: str, secure: Receiver, trusted: Path | None) -> int:
    return send(
        Request("POST", f"https://{name}:{secure.port}/"),
        resolve=lambda host, port: ["127.0.0.1"],
        allowed=HERE,
        context=ssl.create_default_context(cafile=trusted) if trusted else None,
    ).status


def test_tls_checks_the_certificate_for_the_name_not_for_the_address(
    secure: Receiver, certificate: Path
) -> None:
    assert called_with_tls("cd.example.com", secure, certificate) == 200


@pytest.mark.parametrize(
    ("name", "is_trusted"), [("other.example.com", True), ("cd.example.com", False)]
)
def test_a_wrong_certificate_ends_it_before_anything_is_sent(
    secure: Receiver, certificate: Path, name: str, is_trusted: bool
) -> None:
    with pytest.raises(OutboundError) as caught:
        called_with_tls(name, secure, certificate if is_trusted else None)

    assert (caught.value.permanent, caught.value.reached) == (True, False)
    assert "no valid certificate" in str(caught.value)
    assert secure.requests == []
