"""The certificate tools: decode, match, convert, and what is served (ours). Nothing of it is kept."""

import base64
from typing import Any

from certdesk.connectors.starttls import Protocol
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates.recognising import Known
from certdesk.lifecycle.discovery import looking, tools
from certdesk.lifecycle.discovery.looking import PROBE, Look, Question
from certdesk.lifecycle.discovery.tools import USE, Decoded, Shown
from certdesk.pki.x509 import reading
from certdesk.pki.x509.certificates import to_pem
from certdesk.pki.x509.converting import Form
from certdesk.pki.x509.explaining import KeyTold, RequestTold
from certdesk.pki.x509.findings import Finding

from .registry import operation
from .shapes import Shape
from .tool_schemas import Convert, Decode, Match, Served

T = "/v3/scm/tools"


@operation("tools.decode", "POST", f"{T}/decode", USE, request=Decode)
def decode(principal: Principal, body: Decode) -> Shape:
    """What a certificate, chain, CSR or key is: names, dates, key, what is odd, the whole text. A key is told
    by its public half alone, and nothing is kept."""
    given = reading.from_text(body.text)
    return decoded(tools.decode(principal, given, body.password.get_secret_value()))


@operation("tools.match", "POST", f"{T}/match", USE, request=Match)
def match(principal: Principal, body: Match) -> Shape:
    """Whether the private key belongs to the certificate or CSR. The key stays in memory: it is neither kept
    nor logged."""
    found = tools.match(
        principal,
        reading.from_text(body.text),
        reading.from_text(body.private_key),
        body.password.get_secret_value(),
    )
    return {
        "matches": found.matches,
        "what": found.what,
        "key": found.theirs,
        "private_key": found.own,
        "sentence": say(found.sentence),
    }


@operation("tools.convert", "POST", f"{T}/convert", USE, request=Convert)
def convert(principal: Principal, body: Convert) -> Shape:
    """The same things as PEM, DER, PKCS7, PKCS12 or JKS, the server's own certificate first. The file comes
    as Base64, with the password of a store; neither is kept."""
    made = tools.convert(
        principal,
        reading.from_text(body.text),
        Form(body.format),
        password=body.password.get_secret_value(),
        new_password=body.new_password.get_secret_value(),
    )
    return {
        "file_name": made.name,
        "content_type": made.content_type,
        "content": base64.b64encode(made.content).decode("ascii"),
        "password": made.password,
        "has_private_key": made.has_key,
    }


@operation("tools.served", "POST", f"{T}/served", PROBE, request=Served)
def served(principal: Principal, body: Served) -> Shape:
    """What every address of a host serves at this moment, and which of the account's certificates it is.
    Through the egress gate, at most one look a second for each user, after twenty at once."""
    found = looking.look(principal, Question(body.host, body.port, body.name, Protocol(body.protocol)))
    return {
        "name": found.name,
        "port": found.port,
        "looks": [_look(one) for one in found.looks],
        "certificates_for_name": [{"id": one, "name": label} for one, label in found.ours],
    }


def _look(one: Look) -> Shape:
    return {
        "address": one.serving.address,
        "verdict": one.verdict.value,
        "sentences": [say(sentence) for sentence in one.sentences],
        "tls_version": one.serving.version,
        "cipher": one.serving.cipher,
        "served": decoded(one.decoded) if one.decoded is not None else None,
    }


def decoded(found: Decoded) -> Shape:
    """Everything that was read, in the words of the reader's language."""
    return {
        "format": found.format,
        "certificates": [certificate(one) for one in found.certificates],
        "chain": {
            "linked": found.chain.linked,
            "complete": found.chain.complete,
            "sentence": say(found.chain.sentence),
        }
        if found.chain
        else None,
        "csrs": [request(told, text) for told, text in found.requests],
        "private_keys": [key(one) for one in found.keys],
    }


def certificate(one: Shown) -> Shape:
    told, facts = one.told, one.told.facts
    return {
        "subject": facts.subject,
        "issuer": facts.issuer,
        "common_name": told.common_name,
        "names": list(facts.names),
        "not_before": wire(facts.not_before),
        "not_after": wire(facts.not_after),
        "force": told.force.value,
        "serial": facts.serial,
        "fingerprint": facts.sha256,
        "fingerprint_sha1": facts.sha1,
        "key": facts.key,
        "spki_sha256": facts.spki_sha256.hex(),
        "signature_algorithm": facts.signature_algorithm,
        "is_ca": told.is_ca,
        "self_signed": told.self_signed,
        "usages": list(told.usages),
        "ocsp": list(told.ocsp),
        "findings": findings(told.findings),
        "known": known(one.known),
        "text": one.text,
        "certificate": to_pem(told.der),
    }


def request(told: RequestTold, text: str) -> Shape:
    return {
        "subject": told.subject,
        "names": list(told.names),
        "key": told.key,
        "spki_sha256": told.spki_sha256.hex(),
        "findings": findings(told.findings),
        "text": text,
    }


def key(told: KeyTold) -> Shape:
    """The public half's facts."""
    return {
        "key": told.key,
        "spki_sha256": told.spki_sha256.hex(),
        "findings": findings(told.findings),
    }


def findings(found: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [{"code": one.code, "sentence": say(one.sentence)} for one in found]


def known(one: Known | None) -> Shape | None:
    """Which of the account's certificates it is; null for none that the reader may see."""
    if one is None:
        return None
    return {
        "certificate_id": one.certificate_id,
        "name": one.name,
        "version": one.number,
        "current": one.current,
        "revoked": one.revoked,
    }
