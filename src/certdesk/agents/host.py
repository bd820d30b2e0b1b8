"""A host agent: keys are made here and stay here; certificates come from the desk and are really served.

One file, standard library only (Python 3.9 or newer) and the `openssl` command: copy it to the host and run
`python3 host.py enrol --server https://desk.example.com:8443 --code CODE`, then `python3 host.py run`.
It asks the desk by HTTPS and listens to nobody. What is replaced, and which commands run after it, stands in
the host's own configuration alone: the desk sends certificates, never commands or paths.

`host.py forced` is the other way round, for hosts that the desk reaches by SSH: as the forced command of the
desk's key it can list, install, keep and restore the same places, and nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "1"
CONFIG, STATE = Path("/etc/certdesk/host.json"), Path("/var/lib/certdesk-host")
LONGEST_ANSWER = 4 * 1024 * 1024
ANSWER_SECONDS = 30.0
COMMAND_SECONDS = 60.0
LOOK_SECONDS = 5.0
PATIENCE = 5.0
"""Seconds after which a server that was reloaded must serve the new certificate."""
AGAIN = 0.25  # between two good rounds, which both count: old and new processes answer in turn
MOST_LOOKS = 50  # told of one change, the wrong ones first; a desk takes no more than 500
SHORTEST_WAIT, LONGEST_WAIT = 5.0, 45.0
"""Seconds between two questions; a desk that was away is asked again within a minute of its return."""
KEPT_VERSIONS = 5
SEE_DISK = "See to the disk and its rights on the host."
GONE = 3
"""Exit code when the desk does not know this agent any more."""
_PLACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\Z")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)


class Trouble(Exception):
    """Something that a person should read; `next_step` says what to do."""

    def __init__(self, sentence: str, next_step: str = "", reason: str = "REFUSED") -> None:
        super().__init__(sentence)
        self.sentence, self.next_step, self.reason = sentence, next_step, reason


class Gone(Trouble):
    """The desk removed this agent: its credential is dead."""


# --- files -----------------------------------------------------------------------------------------------


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """The whole content or none of it, also after a power cut."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(str(fresh), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    handle = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time changes what lies in the folder."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with open(folder / ".lock", "w", encoding="ascii") as file:  # noqa: PTH123 kept open while it is held
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- places ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """One certificate of this host, as its configuration has it.

    Attributes:
        folder: the server reads `folder/current/fullchain.pem` and `privkey.pem` (or `combined.pem`).
        listeners: host:port where this machine can see what is served.
        check, reload: argument lists, run as they are, without a shell; `check` may be empty.
    """

    name: str
    names: tuple[str, ...]
    folder: Path
    listeners: tuple[str, ...]
    check: tuple[str, ...]
    reload: tuple[str, ...]

    @property
    def current(self) -> str:
        """The version that the server reads; empty before the first."""
        try:
            return (self.folder / "current").readlink().name
        except OSError:
            return ""


def read_places(path: Path) -> dict[str, Place]:
    """The places of the configuration.

    Raises:
        Trouble: it cannot be read, or does not make sense.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: _place(name, given) for name, given in found["places"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Trouble(f"{path} cannot be used: {error}.", "See the manual for an example.") from None


def _place(name: str, given: Mapping[str, Any]) -> Place:
    unknown = set(given) - {"names", "folder", "listeners", "check", "reload"}
    if not _PLACE.match(name) or unknown:
        raise ValueError(f"place {name[:40]!r}: {', '.join(sorted(unknown)) or 'a-z, 0-9, _ and - only'}")
    folder = Path(given["folder"])
    if not folder.is_absolute() or not given["names"] or not given["listeners"]:
        raise ValueError(f"place {name!r}: it needs an absolute folder, names and listeners")
    for one in given["listeners"]:
        host_port(one)
    lists = (given["names"], given["listeners"], given.get("check", []), given.get("reload", []))
    if not all(isinstance(one, list) and all(isinstance(part, str) for part in one) for one in lists):
        raise ValueError(f"place {name!r}: names, listeners, check and reload are lists of texts")
    names, listeners, check, reload = (tuple(one) for one in lists)
    return Place(name, names, folder, listeners, check, reload)


def host_port(text: str) -> tuple[str, int]:
    """Raises ValueError where there is no such port."""
    host, _, port = text.rpartition(":")
    if not 1 <= int(port) <= 65535:
        raise ValueError(f"{text[:80]!r}: a port lies between 1 and 65535")
    return host.strip("[]"), int(port)


# --- keys and versions -----------------------------------------------------------------------------------


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    """Raises `Trouble`: there is no openssl, or it refused."""
    try:
        done = subprocess.run(  # noqa: S603 fixed arguments
            ["openssl", *arguments],  # noqa: S607 of the host's own PATH
            input=given,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", b"") or str(error).encode()
        raise Trouble(
            f"openssl {arguments[0]} failed: {tail(told)}.", "Install openssl 1.1.1 or newer."
        ) from None
    return done.stdout


def make_key(place: Place) -> None:
    """A new EC key and the request for it; the key is on the disk before anybody hears of it."""
    keys = place.folder / "keys"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    public = openssl("pkey", "-pubout", "-outform", "DER", given=key)
    file = keys / f"{int(time.time()):012d}-{hashlib.sha256(public).hexdigest()[:16]}.key"
    write(file, key)
    names = ",".join(f"DNS:{one}" for one in place.names)
    # A common name has at most 64 characters; every name stands among the alternative ones anyway.
    subject = f"/CN={place.names[0]}" if len(place.names[0]) <= 64 else "/"
    extension = f"subjectAltName={names}"
    csr = openssl("req", "-new", "-sha256", "-key", str(file), "-subj", subject, "-addext", extension)
    write(file.with_suffix(".csr"), csr)


def prepare(place: Place) -> None:
    """A key with its request, and something to serve before the first certificate comes."""
    with locked(place.folder):
        if not any((place.folder / "keys").glob("*.csr")):
            make_key(place)
        if not place.current:
            key = max((place.folder / "keys").glob("*.key"))
            names = ",".join(f"DNS:{one}" for one in place.names)
            arguments = ("-subj", "/CN=not issued yet", "-addext", f"subjectAltName={names}")
            own = openssl("req", "-x509", "-sha256", "-key", str(key), "-days", "30", *arguments)
            switch(place, stage(place, own.decode(), "", key.read_text()))


def requests(place: Place) -> list[str]:
    """The latest two: while a key is changed there are two that count."""
    found = sorted((place.folder / "keys").glob("*.csr"))[-2:]
    return [one.read_text() for one in found]


def key_for(place: Place, leaf: str) -> str:
    """The private key of this host that the certificate belongs to.

    Raises:
        Trouble: none does.
    """
    fingerprint(leaf)
    for file in sorted((place.folder / "keys").glob("*.key"), reverse=True):
        key = file.read_text()
        if _is_pair(place, leaf, key):
            return key
    raise Trouble(
        "The certificate belongs to no key of this host.",
        "Issue it with the request that the host shows.",
    )


def _is_pair(place: Place, leaf: str, key: str) -> bool:
    trial = place.folder / f".pair.{os.getpid()}"
    try:
        write(trial, f"{leaf}\n{key}".encode())
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(str(trial))
    except ssl.SSLError:
        return False
    finally:
        with contextlib.suppress(OSError):
            trial.unlink()
    return True


def stage(place: Place, leaf: str, chain: str, key: str) -> str:
    """A version folder beside the others; nothing reads it yet.

    Raises:
        Trouble: certificate and key are no pair, or it is no certificate.
    """
    place.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    leaf, chain, key = (f"{one.strip()}\n" if one.strip() else "" for one in (leaf, chain, key))
    fingerprint(leaf)
    if not _is_pair(place, leaf, key):
        raise Trouble("Certificate and private key do not belong together.", "Deploy the certificate again.")
    version = hashlib.sha256(f"{leaf}{chain}{key}".encode()).hexdigest()[:40]
    made, fresh = place.folder / "versions" / version, place.folder / "versions" / f".{version}"
    if made.is_dir():
        os.utime(made)
        return version
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700, parents=True)
    for name, text in (
        ("cert.pem", leaf),
        ("chain.pem", chain),
        ("fullchain.pem", leaf + chain),
        ("privkey.pem", key),
        ("combined.pem", leaf + chain + key),
    ):
        write(fresh / name, text.encode())
    fresh.rename(made)
    sync(made.parent)
    return version


def switch(place: Place, version: str) -> None:
    """`current` leads to another version, in one step: nobody ever finds none."""
    fresh = place.folder / f".current.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(Path("versions") / version)
    fresh.replace(place.folder / "current")
    sync(place.folder)


def prune(place: Place, *needed: str) -> None:
    """The latest versions stay, and with them the way back."""
    found = [one for one in (place.folder / "versions").iterdir() if not one.name.startswith(".")]
    for one in sorted(found, key=lambda each: each.stat().st_mtime, reverse=True)[KEPT_VERSIONS:]:
        if one.name not in (place.current, *needed):
            shutil.rmtree(one, ignore_errors=True)


def fingerprint(pem: str) -> str:
    """SHA-1 of the first certificate's DER, hex.

    Raises:
        Trouble: it is no certificate.
    """
    first = _PEM.search(pem)
    try:
        der = ssl.PEM_cert_to_DER_cert(first.group() if first else pem)
    except ValueError:
        raise Trouble("What came is no certificate in PEM.", "Deploy it again.") from None
    return hashlib.sha1(der).hexdigest()  # noqa: S324 a name, not a proof


def held(place: Place, version: str) -> str:
    """The fingerprint of a version; empty where it is not there."""
    try:
        return fingerprint((place.folder / "versions" / version / "cert.pem").read_text()) if version else ""
    except (OSError, Trouble):
        return ""


# --- what is served --------------------------------------------------------------------------------------


def served(listener: str, name: str) -> str:
    """SHA-1 of the leaf that a listener shows for a name.

    Raises:
        OSError: no connection or no handshake.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    asked = f"certdesk{name[1:]}" if name.startswith("*") else name
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(socket.create_connection(host_port(listener), timeout=LOOK_SECONDS))
        channel = stack.enter_context(context.wrap_socket(plain, server_hostname=asked))
        leaf = channel.getpeercert(binary_form=True) or b""
    return hashlib.sha1(leaf).hexdigest()  # noqa: S324 a name, not a proof


def look(place: Place, wanted: str, before: str = "") -> list[dict[str, str]]:
    """What every listener shows for every name: address, name, verdict, sentence."""
    return [_look(one, name, wanted, before) for one in place.listeners for name in place.names]


def _look(listener: str, name: str, wanted: str, before: str) -> dict[str, str]:
    try:
        seen = served(listener, name)
    except ssl.SSLError as error:
        verdict, sentence = "REFUSED", f"{listener} refused the handshake for {name}: {error}."
    except OSError as error:
        verdict, sentence = "UNREACHABLE", f"No connection to {listener}: {error.strerror or error}."
    else:
        verdict = "NEW" if seen == wanted else "PREVIOUS" if seen == before else "UNKNOWN"
        words = {"NEW": "the new", "PREVIOUS": "the previous", "UNKNOWN": "another"}[verdict]
        sentence = f"{listener} serves {words} certificate for {name}."
    return {"address": listener, "name": name, "verdict": verdict, "sentence": sentence}


def until_served(place: Place, wanted: str, before: str = "") -> list[dict[str, str]]:
    """The looks once all of them are good twice in a row, or those of the end of patience."""
    until = time.monotonic() + PATIENCE
    seen = False
    while True:
        looks = look(place, wanted, before)
        good = all(one["verdict"] == "NEW" for one in looks)
        if (good and seen) or (not good and time.monotonic() > until):
            return looks
        time.sleep(AGAIN if good else 0.1)
        seen = good


def apply(place: Place) -> str:
    """Check and reload; what went wrong in a sentence, empty when nothing did."""
    for what, arguments in (("check", place.check), ("reload", place.reload)):
        if not arguments:
            continue
        try:
            done = subprocess.run(  # noqa: S603 the host's own configuration
                list(arguments), stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"The {what} command could not run: {error}."
        if done.returncode:
            return f"The {what} command ended with {done.returncode}: {tail(done.stderr or done.stdout)}."
    return ""


def unwritten(error: OSError) -> str:
    return f"A file could not be written: {error.strerror or error}."


def tail(text: bytes) -> str:
    return " ".join(text.decode("utf-8", "replace").split())[-300:].rstrip(".")


# --- one deployment --------------------------------------------------------------------------------------

Result = dict[str, Any]  # ok, looks, verdict, reason, next_step, back


def change(place: Place, version: str, before: str) -> Result:
    """The version live and seen, or the one before live again and seen.

    Args:
        before: the version to go back to; empty when there is none.
    """
    wanted, previous = held(place, version), held(place, before)
    switch(place, version)
    problem = apply(place)
    looks = [] if problem else until_served(place, wanted, previous)
    wrong = next((one for one in looks if one["verdict"] != "NEW"), None)
    if not problem and wrong is None:
        prune(place, before)
        return _result(True, looks, "NEW")
    reason = problem or (wrong or {}).get("sentence", "")
    verdict = (wrong or {}).get("verdict", "")
    if not before or before == version:
        return _result(False, looks, verdict, reason, "Look at the host now; then deploy again.", back=False)
    return _went_back(place, before, looks, verdict, reason)


def _went_back(place: Place, before: str, looks: list[dict[str, str]], verdict: str, reason: str) -> Result:
    switch(place, before)
    again = apply(place)
    seen = until_served(place, held(place, before))
    wrong = next((one["sentence"] for one in seen if one["verdict"] != "NEW"), "")
    if not wrong:
        told = "The previous certificate was put back and is served."
        return _result(False, looks, verdict, f"{reason} {told}", "Mend it, then deploy again.", back=True)
    told = f"The previous certificate was put back but is not seen: {wrong}"
    if again:
        told = f"The previous certificate could not be put back: {again}"
    next_step = "Look at the host now; then deploy again."
    return _result(False, looks, verdict, f"{reason} {told}", next_step, back=False)


def _result(
    ok: bool,
    looks: list[dict[str, str]],
    verdict: str = "",
    reason: str = "",
    next_step: str = "",
    back: bool | None = None,
) -> Result:
    return {
        "ok": ok,
        "looks": sorted(looks, key=lambda one: one["verdict"] == "NEW")[:MOST_LOOKS],
        "verdict": verdict,
        "reason": reason,
        "next_step": next_step,
        "back": back,
    }


class Journal:
    """What was begun and what became of it, on the disk before and after: a kill loses nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "journal"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(one.read_text()) for one in sorted(self.folder.glob("*.json"))]

    def keep(self, entry: Mapping[str, Any]) -> None:
        write(self._file(entry["work"]["step"]), json.dumps(entry).encode())

    def forget(self, step: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._file(step).unlink()

    def _file(self, step: str) -> Path:
        if not re.fullmatch(r"[0-9-]{1,30}", step):
            raise Trouble("The desk numbered its work as no desk does.")
        return self.folder / f"{step}.json"


def perform(entry: dict[str, Any], places: Mapping[str, Place], journal: Journal) -> Result:
    """Does the work of an entry and writes down its result; repeated after a kill with the same way back.

    What cannot be written down for want of room is answered all the same: the desk shall hear of it.
    """
    place = places.get(entry["work"]["place"])
    if place is None:
        result = _result(False, [], reason="The host has no such place any more.")
    else:
        result = _performed(entry, place, journal)
    with contextlib.suppress(OSError):
        journal.keep({**entry, "result": result})
    return result


def _performed(entry: dict[str, Any], place: Place, journal: Journal) -> Result:
    work = entry["work"]
    try:
        with locked(place.folder):
            leaf = work["certificate"]
            version = stage(place, leaf, work["chain"], key_for(place, leaf))
            if "before" not in entry:
                entry["before"] = place.current
                journal.keep(entry)
            return change(place, version, entry["before"])
    except Trouble as trouble:
        return _result(False, [], reason=trouble.sentence, next_step=trouble.next_step)
    except OSError as error:
        return _result(False, [], reason=unwritten(error), next_step=SEE_DISK)


# --- the desk --------------------------------------------------------------------------------------------


def sign(key: bytes, *parts: bytes) -> str:
    """HMAC-SHA-256, hex, over the parts, each with its length in front."""
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(key, framed, hashlib.sha256).hexdigest()


class Desk:
    """The desk as this agent knows it: where, by which certificate, and with which credential."""

    def __init__(self, state: Path) -> None:
        self.state, self._last = state, 0
        try:
            self.known: dict[str, Any] = json.loads((state / "agent.json").read_text())
        except OSError:
            raise Trouble(
                "This host is not enrolled.", "Run: host.py enrol --server URL --code CODE"
            ) from None

    def exchange(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Tells how this host stands; answers what is to be done.

        Raises:
            Gone: the desk does not know this agent.
            OSError, Trouble: no answer, or none that can be used.
        """
        body, path = json.dumps(message).encode(), "/agent/exchange"
        for _ in range(2):
            counter = self._count()
            parts = (b"POST", path.encode(), str(counter).encode(), body)
            headers = {
                "X-Certdesk-Agent": self.known["id"],
                "X-Certdesk-Counter": str(counter),
                "X-Certdesk-Signature": sign(bytes.fromhex(self.known["secret"]), *parts),
            }
            status, answer = ask(self.known["server"], context_of(self.state), path, body, headers)
            if status != 409:
                break
            self._keep_count(int(answer["counter"]))
        return _checked(status, answer)

    def _count(self) -> int:
        """Above every number of before, whatever happens to this machine's clock."""
        try:
            last = int((self.state / "counter").read_text())
        except (OSError, ValueError):
            last = 0
        return self._keep_count(max(time.time_ns() // 1000, last, self._last))

    def _keep_count(self, last: int) -> int:
        """On a full disk it is kept in mind alone: the desk shall hear of that disk."""
        self._last = last + 1
        with contextlib.suppress(OSError):
            write(self.state / "counter", str(self._last).encode())
        return self._last


def _checked(status: int, answer: dict[str, Any]) -> dict[str, Any]:
    if status == 401:
        raise Gone("The desk does not know this agent any more.", "Enrol the host again with a new code.")
    if status != 200:
        told = str(answer.get("error_msg", ""))[:300]
        raise Trouble(told or f"The desk answered {status}.", str(answer.get("next_step", ""))[:300])
    return answer


def context_of(state: Path) -> ssl.SSLContext:
    """Trust in the CA that was pinned when the host was enrolled, else in the system's."""
    pinned = state / "desk-ca.pem"
    return ssl.create_default_context(cafile=str(pinned) if pinned.exists() else None)


def ask(
    server: str, context: ssl.SSLContext, path: str, body: bytes | None, headers: Mapping[str, str]
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one request; GET without a body.

    Raises:
        OSError: no connection, or the desk's certificate is not trusted.
        Trouble: it is no desk.
    """
    parts = urllib.parse.urlsplit(server)
    if parts.scheme != "https" or not parts.hostname:
        raise Trouble(f"{server[:100]} is no https address.", "Give the desk's address as https://name:port.")
    connection = http.client.HTTPSConnection(
        parts.hostname, parts.port or 443, timeout=ANSWER_SECONDS, context=context
    )
    try:
        given = {"Content-Type": "application/json", "User-Agent": f"certdesk-host/{VERSION}", **headers}
        connection.request("POST" if body is not None else "GET", parts.path + path, body, given)
        response = connection.getresponse()
        content = response.read(LONGEST_ANSWER)
        found = json.loads(content)
    except (ValueError, http.client.HTTPException) as error:
        raise Trouble(f"{server} did not answer as a desk does: {error}.") from None
    finally:
        connection.close()
    return response.status, found if isinstance(found, dict) else {}


def pin(server: str, wanted: str) -> bytes:
    """The PEM of the CA whose SHA-256 is pinned; what the desk sends counts only if it is that very text.

    Raises:
        Trouble: the desk shows another one.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, answer = ask(server, context, "/agent/ca", None, {})
    found = str(answer.get("certificates", "")).encode()
    if hashlib.sha256(found).hexdigest() == wanted:
        return found
    raise Trouble(
        "The desk's CA is not the pinned one: somebody may stand between.",
        "Compare --pin with the page Hosts; behind a proxy with a public certificate leave it out.",
    )


def enrol(state: Path, server: str, code: str, wanted_pin: str, places: Mapping[str, Place]) -> str:
    """Makes this host known to the desk; a repetition after a kill gives the same agent. Answers its id."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if wanted_pin:
        write(state / "desk-ca.pem", pin(server, wanted_pin.lower().replace("sha256:", "").replace(":", "")))
    else:
        with contextlib.suppress(FileNotFoundError):
            (state / "desk-ca.pem").unlink()
    chosen = state / "enrolling"
    if not chosen.exists():
        write(chosen, secrets.token_hex(32).encode())
    secret = chosen.read_text()
    message = {"code": code.strip(), "secret": secret, "host": socket.gethostname(), "version": VERSION}
    status, answer = ask(server, context_of(state), "/agent/enrol", json.dumps(message).encode(), {})
    if status != 200:
        raise Trouble(
            str(answer.get("error_msg", f"The desk answered {status}."))[:300],
            str(answer.get("next_step", ""))[:300],
        )
    for place in places.values():
        prepare(place)
    known = {"id": answer["agent_id"], "secret": secret, "server": server}
    write(state / "agent.json", json.dumps(known).encode())
    chosen.unlink()
    return str(answer["agent_id"])


# --- the loop --------------------------------------------------------------------------------------------


def standing(place: Place) -> dict[str, Any]:
    """How one place stands now, by what its listeners show."""
    problem, shown, csrs = "", "", []
    try:
        prepare(place)
        csrs = requests(place)
    except Trouble as trouble:
        problem = trouble.sentence
    except OSError as error:
        problem = unwritten(error)
    try:
        shown = served(place.listeners[0], place.names[0])
    except OSError as error:
        problem = problem or f"No handshake with {place.listeners[0]}: {error.strerror or error}."
    return {
        "name": place.name,
        "names": list(place.names),
        "listeners": list(place.listeners),
        "csrs": csrs,
        "served": shown,
        "problem": problem,
    }


def turn(desk: Desk, places: Mapping[str, Place], journal: Journal) -> float:
    """One exchange, and what follows from it; answers after how many seconds to ask again."""
    refused: list[Result] = []
    while True:
        results = [_outcome(one, places, journal) for one in journal.entries()]
        told = [standing(one) for one in places.values()]
        host = {"version": VERSION, "host": socket.gethostname()}
        answer = desk.exchange({**host, "places": told, "results": results + refused})
        for step in answer.get("taken", []):
            journal.forget(str(step))
        refused = [no for work in answer.get("work", []) if (no := _begin(work, journal)) is not None]
        if not answer.get("work"):
            return float(answer.get("wait", SHORTEST_WAIT))


def _outcome(entry: dict[str, Any], places: Mapping[str, Place], journal: Journal) -> Result:
    found = entry["result"] if "result" in entry else perform(entry, places, journal)
    return {"step": entry["work"]["step"], **found}


def _begin(work: dict[str, Any], journal: Journal) -> Result | None:
    """Writes the work down; the result of one that cannot be, since nothing is touched without that."""
    try:
        journal.keep({"work": work})
    except OSError as error:
        return {"step": work["step"], **_result(False, [], reason=unwritten(error), next_step=SEE_DISK)}
    return None


def run(state: Path, config: Path, *, once: bool) -> int:
    """Asks again and again; with `once` until nothing is left to do."""
    failures = 0
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(state):
        while True:
            try:
                wait = turn(Desk(state), read_places(config), Journal(state))
                failures = 0
            except Gone as gone:
                say(f"{gone.sentence} {gone.next_step}")
                return GONE
            except (OSError, Trouble) as error:
                failures += 1
                wait = min(SHORTEST_WAIT * 2 ** min(failures, 10), LONGEST_WAIT)
                say(f"{error} {getattr(error, 'next_step', '')} Asking again.".replace("  ", " "))
            if once:
                return 1 if failures else 0
            rest(wait)


def rest(seconds: float) -> None:
    """A quarter more or less, so that hosts do not come all at once."""
    time.sleep(seconds * random.uniform(0.75, 1.25))  # noqa: S311 no secret


def say(sentence: str) -> None:
    sys.stderr.write(f"certdesk-host: {sentence}\n")
    sys.stderr.flush()


# --- the forced command of SSH ---------------------------------------------------------------------------


def forced(verb: str, given: Mapping[str, Any], places: Mapping[str, Place]) -> dict[str, Any]:
    """One verb for the desk behind SSH. Names of places come from outside, paths and commands never do.

    Raises:
        Trouble: what the desk shall tell.
    """
    if verb == "list":
        return {"places": [_listed(one) for one in places.values()]}
    place = places.get(str(given.get("place", "")))
    if place is None:
        raise Trouble("The host has no such place.", "Look the host through again.", "NOT_THERE")
    with locked(place.folder):
        if verb == "snapshot":
            return _snapshot(place)
        if verb == "install":
            version = stage(place, str(given["leaf"]), str(given["chain"]), str(given["key"]))
            return _changed(place, version, place.current)
        if verb == "keep":
            prune(place, str(given.get("needed", "")))
            return {}
        if verb == "restore":
            return _restored(place, str(given.get("version", "")))
    raise Trouble(f"{verb[:20]!r} is no verb of this command.", "Update the helper on the host.")


def _listed(place: Place) -> dict[str, Any]:
    return {
        "name": place.name,
        "names": list(place.names),
        "listeners": list(place.listeners),
        "fingerprint": held(place, place.current),
    }


def _snapshot(place: Place) -> dict[str, Any]:
    if not held(place, place.current):
        raise Trouble(
            f"{place.folder}/current holds no certificate, so there would be no way back.",
            f"Run on the host: host.py prepare {place.name}",
            "NO_WAY_BACK",
        )
    leaf = (place.folder / "current" / "cert.pem").read_text()
    der = ssl.PEM_cert_to_DER_cert(leaf)
    return {
        "version": place.current,
        "sha256": hashlib.sha256(der).hexdigest(),
        "names": list(place.names),
    }


def _changed(place: Place, version: str, before: str) -> dict[str, Any]:
    """Live, or as it was: a server that refuses the new files is left with the old ones."""
    switch(place, version)
    problem = apply(place)
    if problem and before and before != version:
        switch(place, before)
        again = apply(place)
        back = "The previous files are in their place again." if not again else f"Going back failed: {again}"
        raise Trouble(f"{problem} {back}", "Mend it on the host, then deploy again.")
    if problem:
        raise Trouble(problem, "Mend it on the host, then deploy again.")
    return {}


def _restored(place: Place, version: str) -> dict[str, Any]:
    if not re.fullmatch(r"[0-9a-f]{40}", version) or not held(place, version):
        raise Trouble("The host does not have the previous certificate any more.", "Deploy the wanted one.")
    switch(place, version)
    problem = apply(place)
    if problem:
        raise Trouble(problem, "Mend it on the host, then try again.")
    return {}


def answer_forced(command: str, places: Mapping[str, Place], given: bytes) -> dict[str, Any]:
    """The whole answer as JSON, refusals too."""
    try:
        if not re.fullmatch(r"certdesk [a-z]{1,20}", command):
            raise Trouble("This key runs the helper's verbs alone.", "", "NOT_ALLOWED")
        return {"ok": True, **forced(command.split()[1], json.loads(given or b"{}"), places)}
    except Trouble as trouble:
        return _refused(trouble.reason, trouble.sentence, trouble.next_step)
    except OSError as error:
        return _refused("REFUSED", unwritten(error), SEE_DISK)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _refused("BAD_ANSWER", "The request is not one of the helper's.", "Update the helper.")


def _refused(reason: str, sentence: str, next_step: str) -> dict[str, Any]:
    return {"ok": False, "reason": reason, "message": sentence, "next_step": next_step}


# --- the command -----------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    for name, default, told in (("config", CONFIG, "places of this host"), ("state", STATE, "own folder")):
        more = f"{told}; default {default}"
        common.add_argument(f"--{name}", type=Path, default=argparse.SUPPRESS, help=more)
    made = argparse.ArgumentParser(
        prog="certdesk-host", description=(__doc__ or "").splitlines()[0], parents=[common]
    )
    made.set_defaults(config=CONFIG, state=STATE)
    verbs = made.add_subparsers(dest="verb", required=True)

    def verb(name: str, told: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=told, parents=[common])

    one = verb("enrol", "make this host known to a desk")
    one.add_argument("--server", required=True, help="https address of the desk")
    one.add_argument(
        "--code", required=True, help="the code of the page Hosts; - reads it from standard input"
    )
    one.add_argument("--pin", default="", help="SHA-256 of the desk's CA; without it the system's CAs count")
    verb("run", "ask the desk and do what is to be done").add_argument(
        "--once", action="store_true", help="end when nothing is left to do"
    )
    verb("rekey", "make a new key for a place").add_argument("place")
    verb("prepare", "make key, request and folder of a place").add_argument("place")
    verb("forced", "the forced command of the desk's SSH key")
    return made


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 done, 1 refused or no answer, 3 the desk does not know this agent."""
    os.umask(0o022)
    given = parser().parse_args(list(arguments))
    try:
        if given.verb == "run":
            return run(given.state, given.config, once=given.once)
        places = read_places(given.config)
        if given.verb == "forced":
            command = os.environ.get("SSH_ORIGINAL_COMMAND", "")
            told = answer_forced(command, places, sys.stdin.buffer.read(LONGEST_ANSWER))
            sys.stdout.write(json.dumps(told))
        elif given.verb == "enrol":
            code = sys.stdin.readline() if given.code == "-" else given.code
            say(f"enrolled as {enrol(given.state, given.server, code, given.pin, places)}")
        else:
            _at_place(given.verb, places.get(given.place))
    except Trouble as trouble:
        say(f"{trouble.sentence} {trouble.next_step}")
        return 1
    except OSError as error:
        say(f"{error}")
        return 1
    return 0


def _at_place(verb: str, place: Place | None) -> None:
    if place is None:
        raise Trouble("The configuration has no such place.", "See the names in it.")
    if verb == "rekey":
        with locked(place.folder):
            make_key(place)
    prepare(place)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
