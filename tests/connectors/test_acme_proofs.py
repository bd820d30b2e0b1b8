"""http-01 and tls-alpn-01 against servers that answer rightly and wrongly (RFC 8555 §8.3, 8737, 8738)."""

import asyncio
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certdesk.connectors import acme_proofs
from certdesk.connectors.acme_proofs import ProofAnswer, ProofSeen, Way
from certdesk.connectors.protocol import ConnectorError

KEY = ec.generate_private_key(ec.SECP256R1())
NAME, EXPECTED = "www.example.com", "token.thumbprint"
DIGEST = hashlib.sha256(EXPECTED.encode()).digest()
ALLOWED = (ip_network("127.0.0.0/8"),)
Check = Callable[[Way], Awaitable[ProofSeen]]


async def resolve(host: str) -> Sequence[str]:
    if host == "none.example.com":
        raise ConnectorError("The name has no address.", permanent=False)
    return ["127.0.0.1"]


def certificate(
    *names: str,
    value: bytes = b"\x04\x20" + DIGEST,
    critical: bool = True,
    held: bool = True,
    san: bool = True,
    more: x509.ExtensionType | None = None,
) -> bytes:
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "challenge")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    if san:
        found = [
            x509.IPAddress(ip_address(one)) if one[-1].isdigit() else x509.DNSName(one)
            for one in names or (NAME,)
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    if more:
        builder = builder.add_extension(more, critical=False)
    if held:
        extension = x509.UnrecognizedExtension(acme_proofs.IDENTIFIER, value)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


X400_NAME = x509.UnrecognizedExtension(
    x509.ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes.fromhex("3004a3023000")
)
UNKNOWN_VERSION = certificate().replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"), 1)


def test_what_the_certificate_of_a_challenge_must_hold() -> None:
    assert acme_proofs.fault_of(certificate(), NAME, DIGEST) == ""
    assert acme_proofs.fault_of(certificate("WWW.example.com"), NAME, DIGEST) == ""
    assert acme_proofs.fault_of(certificate("127.0.0.1"), "127.0.0.1", DIGEST) == ""
    wrong = {
        "for this name alone": [certificate(NAME, "b.example.com"), certificate("b.example.com")],
        "critical": [certificate(critical=False)],
        "lacks": [certificate(held=False), certificate(san=False)],
        "another key": [certificate(value=b"\x04\x20" + bytes(32)), certificate(value=DIGEST)],
        "cannot be read": [b"", b"x", UNKNOWN_VERSION, certificate(san=False, more=X400_NAME)],
    }
    for words, found in wrong.items():
        for der in found:
            assert words in acme_proofs.fault_of(der, NAME, DIGEST)
    assert "for this name" in acme_proofs.fault_of(certificate("127.0.0.1"), NAME, DIGEST)


def test_the_name_asked_for_in_the_handshake() -> None:
    assert acme_proofs.server_name(NAME) == NAME
    assert acme_proofs.server_name("192.0.2.1") == "1.2.0.192.in-addr.arpa"


def look(tmp_path: Path, der: bytes, protocols: list[str], check: Check) -> ProofSeen:
    """What a look sees of a server with this certificate that speaks these protocols."""
    key, pem = tmp_path / "key.pem", tmp_path / "cert.pem"
    key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pem.write_text(ssl.DER_cert_to_PEM_cert(der))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    context.set_alpn_protocols(protocols)
    return asyncio.run(_served(lambda reader, writer: writer.close(), check, context))


async def _served(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object],
    check: Check,
    context: ssl.SSLContext | None = None,
) -> ProofSeen:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)  # type: ignore[arg-type]
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await check(Way((80, port), ALLOWED, resolve))


def alpn(way: Way, name: str = NAME) -> Awaitable[ProofSeen]:
    return acme_proofs.check_alpn(name, EXPECTED, way)


def test_the_handshake_of_a_server(tmp_path: Path) -> None:
    spoken = [acme_proofs.PROTOCOL, "http/1.1"]
    assert look(tmp_path, certificate(), spoken, alpn).answer is ProofAnswer.MATCH
    assert look(tmp_path, certificate(), ["h2"], alpn).answer is not ProofAnswer.MATCH
    other = look(tmp_path, certificate("b.example.com"), spoken, alpn)
    assert (other.answer, "for this name" in other.sentence) == (ProofAnswer.WRONG_VALUE, True)
    plain = asyncio.run(_served(lambda reader, writer: writer.close(), alpn))
    assert plain.answer is ProofAnswer.NO_ANSWER


@pytest.mark.parametrize(
    ("name", "way", "answer"),
    [
        ("none.example.com", Way((443,), ALLOWED, resolve), ProofAnswer.NO_ANSWER),
        (NAME, Way((443,), (), resolve), ProofAnswer.REFUSED),
        (NAME, Way((80,), ALLOWED, resolve), ProofAnswer.NO_ANSWER),
    ],
)
def test_where_nothing_can_be_asked(name: str, way: Way, answer: ProofAnswer) -> None:
    assert asyncio.run(acme_proofs.check_alpn(name, EXPECTED, way)).answer is answer


def http(status: str, body: str) -> ProofSeen:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        text = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
        writer.write(text.encode())
        await writer.drain()
        writer.close()

    async def check(way: Way) -> ProofSeen:
        port = max(way.ports)
        return await acme_proofs.check_http(NAME, "/x", EXPECTED, Way((port,), ALLOWED, resolve))

    return asyncio.run(_served(answer, check))


def test_the_file_of_a_server() -> None:
    assert http("200 OK", EXPECTED).answer is ProofAnswer.MATCH
    assert http("200 OK", EXPECTED + "\r\n").answer is ProofAnswer.MATCH
    assert http("200 OK", " " + EXPECTED).answer is ProofAnswer.WRONG_VALUE
    assert http("404 Not Found", EXPECTED).answer is ProofAnswer.NO_FILE
    assert http("bad", "").answer is ProofAnswer.NO_ANSWER


def test_http_is_not_asked_where_it_may_not_be() -> None:
    refused = acme_proofs.check_http(NAME, "/x", EXPECTED, Way((80, 443), (), resolve))
    assert asyncio.run(refused).answer is ProofAnswer.REFUSED
    nowhere = acme_proofs.check_http("::1", "/x", EXPECTED, Way((443,), ALLOWED, resolve))
    assert asyncio.run(nowhere).answer is ProofAnswer.NO_ANSWER
