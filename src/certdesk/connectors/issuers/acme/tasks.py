"""Challenges (RFC 8555 §8, RFC 8737, RFC 8738, dns-persist) as tasks: what has to stand where. Pure."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from certdesk.connectors.issuers.acme.keys import b64
from certdesk.connectors.issuers.acme.problems import words_of
from certdesk.connectors.issuers.protocol import Task

_BY_NAME = frozenset({"http-01", "tls-alpn-01"})


def tasks_of(
    authorizations: Sequence[Mapping[str, Any]], account: str, thumbprint: str, methods: Collection[str]
) -> tuple[Task, ...]:
    """All that an order asks for, by the ways that are used here.

    A name that is asked for with and without its wildcard has two authorisations. Both are proved in the DNS,
    so that one method does for the name; and what is done of them stands aside until the other is done too,
    because one task that is done means that its name is.

    Args:
        authorizations: as the server sent them.
        account: the account's URL.
        thumbprint: of the account's key.
        methods: e.g. `dns-01`; what the server has accepted already is told whatever its method.
    """
    wild = {name_of(one) for one in authorizations if one.get("wildcard") is True}
    unfinished = {name_of(one) for one in authorizations if one.get("status") != "valid"}
    return tuple(
        task
        for one in authorizations
        for task in _tasks(one, account, thumbprint)
        if (task.name not in unfinished if task.done else task.method in methods)
        and (task.done or task.method not in _BY_NAME or task.name not in wild)
    )


def _tasks(authorization: Mapping[str, Any], account: str, thumbprint: str) -> Iterator[Task]:
    done = authorization.get("status") == "valid"
    for challenge in challenges_of(authorization):
        made = _task(challenge, authorization, account, thumbprint)
        if made is not None:
            where, value, record_type = made
            yield Task(
                id=str(challenge.get("url")),
                name=name_of(authorization),
                method=str(challenge["type"]),
                where=where,
                value=value,
                record_type=record_type,
                done=done,
                words=words_of(challenge.get("error")),
            )


def _task(
    challenge: Mapping[str, Any], authorization: Mapping[str, Any], account: str, thumbprint: str
) -> tuple[str, str, str] | None:
    """Where, value and type of record; None for a challenge that nobody here can meet."""
    name, token = name_of(authorization), challenge.get("token")
    if challenge.get("type") == "dns-persist-01":
        return _persistent(challenge, name, account, wildcard=authorization.get("wildcard") is True)
    if not isinstance(token, str):
        return None
    proof = f"{token}.{thumbprint}"
    match challenge.get("type"):
        case "dns-01":
            return f"_acme-challenge.{name}", b64(hashlib.sha256(proof.encode()).digest()), "TXT"
        case "http-01":
            host = f"[{name}]" if ":" in name else name
            return f"http://{host}/.well-known/acme-challenge/{token}", proof, ""
        case "tls-alpn-01":
            return name, proof, ""
        case _:
            return None


def _persistent(
    challenge: Mapping[str, Any], name: str, account: str, *, wildcard: bool
) -> tuple[str, str, str] | None:
    """A record that stays for later orders too (draft-ietf-acme-dns-persist): issuer and account."""
    named = challenge.get("issuer-domain-names") or [challenge.get("issuer-domain-name")]
    issuer = next((one for one in named if isinstance(one, str)), "") if isinstance(named, list) else ""
    if not issuer:
        return None
    value = f"{issuer}; accounturi={account}" + ("; policy=wildcard" if wildcard else "")
    return f"_validation-persist.{name}", value, "TXT"


def challenges_of(authorization: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those with a URL and a type, whatever they are."""
    found = authorization.get("challenges")
    return [
        one
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, Mapping) and isinstance(one.get("url"), str) and isinstance(one.get("type"), str)
    ]


def name_of(authorization: Mapping[str, Any]) -> str:
    """The name that it is about, without `*.`; empty where it says none."""
    identifier = authorization.get("identifier")
    text = str(identifier.get("value") or "") if isinstance(identifier, Mapping) else ""
    return text.removeprefix("*.").lower()


def fault_of(authorizations: Sequence[Mapping[str, Any]]) -> str:
    """What the server found wrong with the proofs; empty where it said nothing."""
    told = [
        f"{name_of(one)}: {words}"
        for one in authorizations
        for challenge in challenges_of(one)
        if one.get("status") != "valid" and (words := words_of(challenge.get("error")))
    ]
    return " ".join(dict.fromkeys(told))[:500]
