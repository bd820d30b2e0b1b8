"""Runs a user command: reads its options, sends the request, shows the answer.

Exit status: 0 = done, 1 = the server refused, holds it back or did not answer, 2 = wrong use.
"""

import base64
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import typer

from certdesk.client import Certdesk, ClientError, Download, Refused, Waiting

from . import importing, profiles, showing, waiting, watching
from .commands import python_name
from .table import Remote, Spec

AT = "@"


def run(found: Remote, given: dict[str, Any]) -> None:
    """Sends the operation and shows what came."""
    try:
        sent = _sent(found, given)
        with client(given["profile"]) as desk:
            answer = _ask(desk, found, sent, given)
            if isinstance(answer, Download):
                _save(answer, given["output_"], given["as_json"])
                return
            if given.get("wait_") and isinstance(answer, dict):
                certificate_id = answer.get("cert_id") or given.get("path_certificate_id")
                answer = waiting.until_issued(desk, str(certificate_id))
            showing.show(found, answer, given["as_json"])
    except (profiles.ProfileRefused, WrongUse) as refused:
        end(str(refused), 2)
    except Waiting as held:
        showing.show_one({"approval_id": held.approval_id}, given["as_json"])
        end(str(held), 1)
    except (ClientError, waiting.NotIssued) as refused:
        end(sentence(refused), 1)


def wait(certificate_id: str, timeout: float, as_json: bool, profile: str) -> None:
    """`certdesk certificates wait`."""
    try:
        with client(profile) as desk:
            found = waiting.until_issued(desk, certificate_id, timeout)
            showing.show_one(found, as_json)
    except profiles.ProfileRefused as refused:
        end(str(refused), 2)
    except (ClientError, waiting.NotIssued) as refused:
        end(sentence(refused), 1)


def import_folder(folder: str, project: str, as_json: bool, profile: str) -> None:
    """`certdesk certificates import-folder`."""
    found = importing.pairs(Path(folder).expanduser())

    def sent(desk: Certdesk) -> Iterator[importing.Line]:
        for line in importing.send(desk, found, project):
            if not as_json:
                print(f"{line.outcome:<8} {line.file}  {line.certificate_id or line.why}", flush=True)
            yield line

    _many(sent, "hosted", as_json, profile)


def watch_files(paths: list[str], project: str, as_json: bool, profile: str) -> None:
    """`certdesk certificates watch-files`; a line for each that is refused, and one as each part is done."""
    found = watching.certificates([Path(one).expanduser() for one in paths])

    def sent(desk: Certdesk) -> Iterator[watching.Line]:
        for number, line in enumerate(watching.send(desk, found, project), start=1):
            if not as_json and line.outcome == "refused":
                named = f"{line.file} {line.name}".strip()
                print(f"refused  {named}  {line.why}", flush=True)
            if not as_json and number % 1_000 == 0:
                print(f"{number} done", flush=True)
            yield line

    _many(sent, "watched", as_json, profile)


def _many(
    send: Callable[[Certdesk], Iterator[importing.Line] | Iterator[watching.Line]],
    done: str,
    as_json: bool,
    profile: str,
) -> None:
    """Sends what is in many files, and ends with what became of them; `done` is the outcome that is meant."""
    lines: list[importing.Line | watching.Line] = []
    try:
        with client(profile) as desk:
            lines.extend(send(desk))
    except profiles.ProfileRefused as refused:
        end(str(refused), 2)
    except OSError as error:
        end(f"{error.filename} cannot be read: {error.strerror}. Check the path.", 2)
    except ClientError as refused:
        end(f"{sentence(refused)} {len(lines)} were done; run it again for the rest.", 1)
    counts = {name: sum(one.outcome == name for one in lines) for name in (done, "there", "refused")}
    if as_json:
        print(json.dumps({**counts, "lines": [asdict(one) for one in lines]}, indent=2, ensure_ascii=False))
    else:
        print(
            "{} {}, {} were there already, {} refused.".format(counts[done], done, *list(counts.values())[1:])
        )
    if counts["refused"]:
        raise typer.Exit(1)


class WrongUse(Exception):
    """An option that cannot be sent; the text says which, why, and what to do."""


def client(name: str) -> Certdesk:
    found = profiles.load(name)
    return Certdesk(
        found.endpoint,
        found.access_key,
        found.secret_key,
        language=found.language,
        verify=str(Path(found.ca_file).expanduser()) if found.ca_file else True,
    )


def end(text: str, status: int) -> NoReturn:
    print(f"certdesk: {text}", file=sys.stderr)
    raise typer.Exit(status)


def sentence(error: Exception) -> str:
    if isinstance(error, Refused) and error.request_id:
        return f"{error} Request id: {error.request_id}."
    return str(error)


def _sent(found: Remote, given: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `Transport.send`."""
    places: dict[str, dict[str, Any]] = {"query": {}, "body": {}, "header": {}, "path": {}}
    for spec in found.specs:
        places[spec.place][spec.wire] = _value(spec, given.get(python_name(spec)))
    sent: dict[str, Any] = {"query": places["query"], "headers": places["header"]}
    if found.body == "fields":
        sent["body"] = places["body"]
    elif found.body == "array":
        sent["array"] = next(iter(places["body"].values()))
    elif found.body == "file":
        path = Path(given["file_"])
        sent["file"] = (path.name, _bytes(given["file_"]))
    if found.idempotent:
        sent["idempotency_key"] = given["key_"] or True
    return sent


def _value(spec: Spec, given: Any) -> Any:
    if given is None or given == []:
        return None
    if spec.by_file:
        text = _text(_bytes(given))
        return _json(spec, text) if spec.kind == "json" else text.strip("\n") + _line_end(text)
    if spec.kind == "integer":
        return int(given)
    if isinstance(given, str) and given.startswith(AT):
        given = _text(_bytes(given.removeprefix(AT)))
    return _json(spec, given) if spec.kind == "json" else given


def _text(content: bytes) -> str:
    """A file's text; of a binary one (DER, PKCS#12) its Base64, as the API takes it."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return base64.b64encode(content).decode("ascii")


def _line_end(text: str) -> str:
    """A PEM keeps its last line's end; a password has none."""
    return "\n" if text.startswith("-----BEGIN") else ""


def _json(spec: Spec, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise WrongUse(f"{spec.wire} is not JSON: {error}. Write JSON, or @FILE.") from None


def _bytes(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()
    except OSError as error:
        raise WrongUse(f"{name} cannot be read: {error.strerror}. Check the file.") from None


def _ask(desk: Certdesk, found: Remote, sent: dict[str, Any], given: dict[str, Any]) -> Any:
    values = [given[python_name(spec)] for spec in found.specs if spec.place == "path"]
    path = desk.transport.path(found.path, *values)
    if found.is_file:
        return desk.transport.download(found.method, path, **sent)
    answer = desk.transport.call(found.method, path, **sent)
    if given.get("all_"):
        return _every(desk, found, path, sent, answer)
    return answer


def _every(desk: Certdesk, found: Remote, path: str, sent: dict[str, Any], page: Any) -> dict[str, Any]:
    """All pages as one answer."""
    rows, first = list(page[found.rows]), sent["query"].get("offset") or 0
    by_marker = any(spec.wire == "marker" for spec in found.specs)
    while page["next_marker"] if by_marker else page[found.rows]:
        more = {"marker": page["next_marker"]} if by_marker else {"offset": first + len(rows)}
        page = desk.transport.call(found.method, path, **{**sent, "query": {**sent["query"], **more}})
        rows += page[found.rows]
    return {**page, found.rows: rows}


def _save(file: Download, output: str, as_json: bool) -> None:
    """Writes a file that only its owner may read: it may hold private keys."""
    path = Path(output or Path(file.name).name)
    try:
        with open(path, "wb", opener=partial(os.open, mode=0o600)) as target:
            if stat.S_ISREG(os.fstat(target.fileno()).st_mode):
                os.fchmod(target.fileno(), 0o600)  # of a file that was there before, too
            target.write(file.content)
    except OSError as error:
        raise WrongUse(f"{path} cannot be written: {error.strerror}. Choose --output.") from None
    written = {"file": str(path), "bytes": len(file.content), "content_type": file.content_type}
    showing.show_one(written, as_json)
