"""Checks exported audit logs: one file, standard library only, so that it can be taken anywhere.

    python verify.py audit.jsonl [--key PUBLIC_KEY_HEX] [--heads FILE]

It reads the JSON lines of an export, of a whole log or of a part of it: what a filter let through, in
stretches from one signed checkpoint to another, so that each row is proved. With the package
`cryptography` beside it, it checks the signatures as well; `--key` names the key that must have signed
them, `--heads` the file of the last checkpoints that is kept outside the database. The sealer uses the
same functions, so there is one definition of the chain.

What a chain alone can show: each row whose content is not the one that was sealed, rows that are
missing, moved or put in between. What needs a checkpoint: rows cut off at the end, and rows sealed
anew by somebody without the key; of these the range since the last sound checkpoint is named. What
needs the heads: a chain cut back to an older checkpoint, and an account of which nothing is left.
"""

import hashlib
import json
import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIELDS = (
    "id", "account_id", "at", "actor", "actor_name", "via", "key_id", "source", "request_id", "action",
    "resource", "details",
)  # fmt: skip
GENESIS = "0" * 64
"""The digest before the first row of an account."""
FARTHEST = 1000  # so many rows removed and hidden by new numbers are looked for
MOST_WAITING = 100  # so many rows that wait for the sealer are named
MOST_FAILING = 300  # beyond so many failing rows, moved ones are named as changed

_UNSEALED = 2**62  # behind every place
_NEEDED = {*FIELDS, "sequence", "digest"}
_NEEDED_SIGNED = {"account_id", "sequence", "digest", "at", "signature", "public_key"}

Row = Mapping[str, Any]

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def canonical(value: Mapping[str, object]) -> str:
    """JSON with sorted keys, no spaces, plain ASCII: one text for one value."""
    return _encode(value)


def digest(previous: str, sequence: int, event: Mapping[str, object]) -> str:
    """SHA-256 (hex) over the digest before, the place in the chain and the row; `at` in microseconds."""
    body = canonical({**{name: event[name] for name in FIELDS}, "sequence": sequence})
    return hashlib.sha256(f"{previous}\n{body}".encode("ascii")).hexdigest()


def manifest_text(manifest: Mapping[str, object]) -> bytes:
    """What the signature of an export's manifest covers: all of it but the signature."""
    values = {name: value for name, value in manifest.items() if name != "signature"}
    return f"certdesk audit export\n{canonical(values)}".encode("ascii")


def checkpoint_text(account_id: str, sequence: int, head: str, at: int) -> bytes:
    """What the signature of a checkpoint covers; `at` in microseconds."""
    values = {"account_id": account_id, "sequence": sequence, "digest": head, "at": at}
    return f"certdesk audit checkpoint\n{canonical(values)}".encode("ascii")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    `kind` is unsealed, missing, changed, reordered, inserted, truncated, rechained, unsigned or forged, and
    for an export also altered: the file is not as it was handed out;
    `first` and `last` are places in the chain, 0 for a row without one; `event_id` is 0 when there is none.
    """

    kind: str
    account_id: str
    first: int
    last: int
    event_id: int
    text: str

    def __str__(self) -> str:
        return f"{self.account_id}: {self.text}"


@dataclass
class Report:
    """`ok` when nothing is wrong; rows that wait for the sealer are named but are no fault.

    `heads`: checkpoints kept outside the database that the chains were compared with.
    """

    events: int = 0
    unsealed: int = 0
    checkpoints: int = 0
    heads: int = 0
    signatures_checked: bool = False
    part: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        return [f"{one.kind}: {one}" for one in self.findings if one.kind != "unsealed"]

    @property
    def waiting(self) -> list[str]:
        return [str(one) for one in self.findings if one.kind == "unsealed"][:MOST_WAITING]

    @property
    def ok(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict[str, object]:
        values = {name: value for name, value in vars(self).items() if name != "findings"}
        return {"ok": self.ok, **values, "waiting": self.waiting, "problems": self.problems}


class Chain:
    """Walks one account's rows in the order of their places, then says what is wrong."""

    def __init__(
        self,
        account_id: str,
        checkpoints: Mapping[int, str],
        head: int = 0,
        start: tuple[int, str] | None = None,
    ) -> None:
        """Args: sound checkpoints as place → digest; the last place that was ever given out, if known;
        the checkpoint behind which the rows begin, for a part of the log."""
        self.account_id = account_id
        self.checkpoints = checkpoints
        self.end = max([head, *checkpoints])
        self.findings: list[Finding] = []
        self.count = self.waiting = 0
        self._places = {digest: place for place, digest in checkpoints.items()}
        self._shift = 0
        self._before: str | None = None
        self._place, self._previous = start or (0, GENESIS)
        self._sound = self._place
        self._signed: str | None = None
        self._last: Row | None = None
        self._pending: Row | None = None
        self._failing: list[tuple[int, Row, str]] = []
        self._inserted: list[tuple[Row, Finding]] = []
        self._gaps: list[tuple[int, str | None, Finding]] = []

    def feed(self, row: Row) -> None:
        self.count += 1
        if row["sequence"] is None:
            self.waiting += 1
            self._find("unsealed", 0, 0, row, f"row id {row['id']} is not sealed yet")
            return
        if self._pending is not None:
            self._check(self._pending, row)
        self._pending = row

    def finish(self) -> list[Finding]:
        if self._pending is not None:
            self._check(self._pending, None)
        if self._place < self.end:
            first = self._place + 1
            self._find("truncated", first, self.end, None, f"rows {_range(first, self.end)} are cut off")
        self._explain_moves()
        self._check_unsigned()
        return sorted(self.findings, key=lambda finding: (finding.first, finding.event_id))

    def _find(self, kind: str, first: int, last: int, row: Row | None, text: str) -> Finding:
        finding = Finding(kind, self.account_id, first, last, row["id"] if row else 0, text)
        self.findings.append(finding)
        return finding

    def _check(self, row: Row, following: Row | None) -> None:
        place = row["sequence"] - self._shift
        if place <= self._place:
            self._insert(row, f"row id {row['id']} has the place {place}, which is taken")
            return
        if place > self._place + 1:
            self._miss(self._place + 1, place - 1, "The row behind can be checked by a checkpoint only.")
            signed = self.checkpoints.get(place - 1)
            if signed and digest(signed, place, row) != row["digest"]:
                self._find("changed", place, place, row, f"row {place} (id {row['id']}) was changed")
            self._accept(place, row, row["digest"])
        elif digest(self._previous or "", place, row) == row["digest"]:
            self._accept(place, row, row["digest"])
        else:
            self._judge(place, row, following)

    def _accept(self, place: int, row: Row, true_digest: str) -> None:
        self._before, self._previous = self._previous, true_digest
        self._place, self._last = place, row
        if self._signed is not None:
            self._signed = digest(self._signed, place, row)
        expected = self.checkpoints.get(place)
        if expected is not None:
            self._compare(place, row, true_digest, expected)

    def _compare(self, place: int, row: Row, true_digest: str, expected: str) -> None:
        """Against a checkpoint. Behind a row that was sealed anew all digests differ; the rows are
        then counted on from the last checkpoint, so that each such row is named and no other.
        """
        first, self._sound = self._sound + 1, place
        if true_digest == expected:
            self._signed = None
            return
        named = any(first <= finding.first <= place for finding in self.findings)
        if self._signed != expected and not named:
            text = (
                f"rows {_range(first, place)} were sealed anew: the digest of {place} is not the signed one"
            )
            self._find("rechained", first, place, row, text)
        self._signed = expected

    def _judge(self, place: int, row: Row, following: Row | None) -> None:
        """A row that does not follow from the one before: why?"""
        previous = self._previous or ""
        signed = self.checkpoints.get(place - 1)
        if signed and signed != previous and digest(signed, place, row) == row["digest"]:
            self._accept(place, row, row["digest"])  # the row before was sealed anew, and named
        elif self._last and self._before and digest(self._before, place - 1, row) == row["digest"]:
            self._clear("rechained", place - 1)
            self._insert(self._last, f"row id {self._last['id']} was put in before row {place - 1}")
            self._shift += 1
            self._signed, self._previous, self._place = None, self._before, place - 2
            self._accept(place - 1, row, row["digest"])
        elif following and digest(previous, place, following) == following["digest"]:
            self._insert(row, f"row id {row['id']} was put in before row {place}")
            self._shift = following["sequence"] - place
        elif removed := self._removed(place, row, following):
            self._miss(place, place + removed - 1, "The rows behind were numbered anew to hide it.")
            self._shift -= removed
            self._accept(place + removed, row, row["digest"])
        else:
            self._change(place, row, following, previous)

    def _removed(self, place: int, row: Row, following: Row | None) -> int:
        """How many rows before this one are gone, if those behind were numbered anew."""
        if following is None:
            return max(0, self._places.get(row["digest"], 0) - place)
        for count in range(1, FARTHEST):
            if digest(row["digest"], place + count + 1, following) == following["digest"]:
                return count
        return 0

    def _change(self, place: int, row: Row, following: Row | None, previous: str) -> None:
        computed = digest(previous, place, row)
        text = f"row {place} (id {row['id']}) is not what was sealed"
        if following and digest(computed, place + 1, following) == following["digest"]:
            self._find("changed", place, place, row, f"{text}: its digest was changed")
            self._accept(place, row, computed)
            return
        if self._sound < place - 1:
            text += f", or a row since {self._sound + 1} was changed and sealed anew"
        self._find("changed", place, place, row, text)
        self._failing.append((place, row, previous))
        self._accept(place, row, row["digest"])

    def _insert(self, row: Row, text: str) -> None:
        finding = self._find("inserted", row["sequence"], row["sequence"], row, text)
        self._inserted.append((row, finding))

    def _miss(self, first: int, last: int, more: str) -> None:
        text = f"rows {_range(first, last)} are missing. {more}"
        self._gaps.append((first, self._previous, self._find("missing", first, last, None, text)))

    def _explain_moves(self) -> None:
        """Rows that only stand in the wrong place are named as such, and their neighbours are cleared."""
        if len(self._failing) > MOST_FAILING:
            return
        truth: dict[int, str] = {}
        for place, row, before in self._failing:
            for previous in (before, truth.get(place - 1)):
                if found := previous and self._owner(place, row, previous):
                    truth[place], owner = found
                    self._clear("changed", place)
                    if owner is not row:
                        self._name_move(place, row, owner)
                    break
        for row, finding in self._inserted:
            for place, previous, gap in self._gaps:
                if previous and gap in self.findings and digest(previous, place, row) == row["digest"]:
                    self.findings.remove(gap)
                    self.findings.remove(finding)
                    self._name_move(place, None, row)
                    break

    def _owner(self, place: int, there: Row, previous: str) -> tuple[str, Row] | None:
        for _, row, _ in self._failing:
            true_digest = digest(previous, place, row)
            if true_digest in (row["digest"], there["digest"]):
                return true_digest, row
        return None

    def _name_move(self, place: int, there: Row | None, owner: Row) -> None:
        instead = f" instead of row id {there['id']}" if there else ""
        text = f"the rows were reordered: row id {owner['id']} belongs at place {place}{instead}"
        self._find("reordered", place, place, owner, text)

    def _clear(self, kind: str, place: int) -> None:
        self.findings = [one for one in self.findings if (one.kind, one.first) != (kind, place)]

    def _check_unsigned(self) -> None:
        first = max(self.checkpoints, default=0) + 1
        if self._place >= first:
            why = "were put in, or their checkpoint was taken away"
            self._find("unsigned", first, self._place, None, f"rows {_range(first, self._place)} {why}")


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def sound_checkpoints(
    checkpoints: Iterable[Row], keys: Iterable[str], report: Report
) -> dict[str, dict[int, str]]:
    """Account → place → digest of the checkpoints whose signature holds; the others become findings.

    Without the package `cryptography` no signature is checked and all of them count.
    """
    trusted = {key.lower() for key in keys}
    verify = _verifier(_text_of)
    report.signatures_checked = verify is not None
    sound: dict[str, dict[int, str]] = {}
    for one in checkpoints:
        report.checkpoints += 1
        account_id, place = str(one["account_id"]), int(one["sequence"])
        reason = ""
        if trusted and str(one["public_key"]).lower() not in trusted:
            reason = "is signed by a key that is not trusted"
        elif verify is not None and not verify(one):
            reason = "has a signature that does not hold"
        if reason:
            text = f"the checkpoint of row {place} {reason}"
            report.findings.append(Finding("forged", account_id, place, place, 0, text))
        else:
            sound.setdefault(account_id, {})[place] = str(one["digest"])
    return sound


def sound_heads(heads: Iterable[Row], keys: Iterable[str], report: Report) -> dict[str, dict[int, str]]:
    """As `sound_checkpoints`, for those that were kept apart; counted apart, too."""
    counted = report.checkpoints
    sound = sound_checkpoints(heads, keys, report)
    report.heads += report.checkpoints - counted
    report.checkpoints = counted
    return sound


def read_heads(path: Path) -> list[Row]:
    """The checkpoints kept in that file; raises ValueError for a line that is not of its form."""
    return _Index(path).checkpoints


def _text_of(one: Row) -> bytes:
    return checkpoint_text(one["account_id"], one["sequence"], one["digest"], one["at"])


def _verifier(signed_text: Callable[[Row], bytes]) -> Any:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None

    def verify(one: Row) -> bool:
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(one["public_key"]))
            key.verify(bytes.fromhex(one["signature"]), signed_text(one))
        except (InvalidSignature, ValueError, KeyError, TypeError):
            return False
        return True

    return verify


def verify_rows(
    account_id: str, rows: Iterable[Row], checkpoints: Mapping[int, str], head: int, report: Report
) -> None:
    """Checks one account's rows, given by place and then the unsealed ones, into `report`."""
    chain = Chain(account_id, checkpoints, head)
    for row in rows:
        chain.feed(row)
    report.findings += chain.finish()
    report.events += chain.count
    report.unsealed += chain.waiting


def verify_file(path: Path, keys: Iterable[str] = (), heads_file: Path | None = None) -> Report:
    """Checks an export in memory that does not grow with its rows; raises ValueError for a line that is
    not of its form."""
    report, keys = Report(), list(keys)
    index = _Index(path)
    sound = sound_checkpoints(index.checkpoints, keys, report)
    if heads_file is not None:
        for account_id, kept in sound_heads(read_heads(heads_file), keys, report).items():
            sound.setdefault(account_id, {}).update(kept)
    chains = _Chains(index, sound, report)
    for row in index.rows() if index.in_order else index.rows_sorted():
        chains.feed(row)
    chains.finish()
    if index.is_export or index.manifest:
        _check_manifest(index, keys, report)
    return report


class _Index:
    """One look through the file: everything but its rows, and whether these stand in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints: list[Row] = []
        self.heads: dict[str, int] = {}
        self.ranges: list[tuple[str, int, int]] = []
        self.accounts: set[str] = set()
        self.export: Row = {}
        self.manifest: Row = {}
        self.digest = ""
        self.out_of_order: list[tuple[Row, int]] = []
        self.in_order = True
        self.count = 0
        self._last: tuple[str, float] = ("", 0)
        self._read()

    @property
    def is_export(self) -> bool:
        return bool(self.export)

    def _read(self) -> None:
        so_far = hashlib.sha256()
        for number, line in enumerate(self._lines(), 1):
            try:
                kind, value = json.loads(line).popitem()
                if kind == "manifest":
                    self.manifest, self.digest = value, so_far.hexdigest()
                    value["signature"]
                else:
                    self._note(kind, value)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise ValueError(f"line {number} is not a line of an audit export: {error!r}") from None
            so_far.update(line)

    def _lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            yield from file

    def _note(self, kind: str, value: Row) -> None:
        if kind in ("event", "neighbour"):
            self._note_row(value)
        elif kind == "checkpoint":
            if not value.keys() >= _NEEDED_SIGNED or not isinstance(value["sequence"], int):
                raise ValueError("a checkpoint without its fields")
            self.checkpoints.append(value)
        elif kind == "range":
            self.ranges.append((str(value["account_id"]), int(value["first"]), int(value["last"])))
        elif kind == "export":
            self.export = dict(value.items())
        else:
            self.heads[str(value["account_id"])] = int(value["sequence"])

    def _note_row(self, row: Row) -> None:
        if not row.keys() >= _NEEDED or not isinstance(row["id"], int) or not _is_place(row["sequence"]):
            raise ValueError("a row without its fields")
        if row["sequence"] is not None and not isinstance(row["digest"], str):
            raise ValueError("a row without its digest")
        self.count += 1
        here = (str(row["account_id"]), float("inf") if row["sequence"] is None else row["sequence"])
        self.accounts.add(here[0])
        if here[0] == self._last[0] and here[1] < self._last[1]:
            self.in_order = False
            if self.is_export and len(self.out_of_order) < MOST_FAILING:
                self.out_of_order.append((row, int(self._last[1])))
        self._last = here

    def rows(self) -> Iterator[Row]:
        """As they stand in the file."""
        for line in self._lines():
            kind, value = json.loads(line).popitem()
            if kind in ("event", "neighbour"):
                yield value

    def rows_sorted(self) -> Iterator[Row]:
        """By place: 16 bytes of memory a row, for a file whose lines were moved."""
        places, offsets, offset = array("q"), array("q"), 0
        for line in self._lines():
            kind, value = json.loads(line).popitem()
            if kind in ("event", "neighbour"):
                places.append(_UNSEALED if value["sequence"] is None else value["sequence"])
                offsets.append(offset)
            offset += len(line)
        with self.path.open("rb") as file:
            for number in sorted(range(len(places)), key=places.__getitem__):
                file.seek(offsets[number])
                yield next(iter(json.loads(file.readline()).values()))


def _is_place(value: object) -> bool:
    return value is None or (isinstance(value, int) and abs(value) < _UNSEALED)


class _Chains:
    """The chains of an export: one an account, or one a stretch of a part."""

    def __init__(self, index: _Index, sound: Mapping[str, dict[int, str]], report: Report) -> None:
        self._report, self._is_export = report, index.is_export
        self._firsts: list[int] = []
        self._parts: list[Chain] = []
        self._whole: dict[str, Chain] = {}
        if self._is_export:
            for account_id, first, last in sorted(index.ranges, key=lambda one: one[1]):
                self._add_part(account_id, first, last, sound.get(account_id, {}))
            for row, before in index.out_of_order:
                text = f"the lines were reordered: row {row['sequence']} stands behind row {before}"
                self._find("reordered", row, text)
            return
        for account_id in sorted({*index.accounts, *sound, *index.heads}):
            head = index.heads.get(account_id, 0)
            self._whole[account_id] = Chain(account_id, sound.get(account_id, {}), head)

    def _add_part(self, account_id: str, first: int, last: int, sound: Mapping[int, str]) -> None:
        within = {place: digest for place, digest in sound.items() if first <= place <= last}
        start = (first - 1, GENESIS if first == 1 else sound.get(first - 1, ""))
        for place in (first - 1, last):
            if place and place not in sound:
                text = f"rows {_range(first, last)} are not proved: row {place} has no signed checkpoint"
                self._report.findings.append(Finding("unsigned", account_id, first, last, 0, text))
        self._firsts.append(first)
        self._parts.append(Chain(account_id, within, last, start))

    def _find(self, kind: str, row: Row, text: str) -> None:
        place = row["sequence"] or 0
        found = Finding(kind, str(row["account_id"]), place, place, row["id"], text)
        self._report.findings.append(found)

    def feed(self, row: Row) -> None:
        if not self._is_export:
            self._whole[str(row["account_id"])].feed(row)
            return
        number = bisect_right(self._firsts, row["sequence"] or 0) - 1
        chain = self._parts[number] if number >= 0 else None
        if chain is None or chain.account_id != row["account_id"]:
            self._find("inserted", row, f"row id {row['id']} belongs to no stretch of this export")
            self._report.events += 1
            return
        chain.feed(row)

    def finish(self) -> None:
        for chain in [*self._whole.values(), *self._parts]:
            self._report.findings += chain.finish()
            self._report.events += chain.count
            self._report.unsealed += chain.waiting


def _check_manifest(index: _Index, keys: Sequence[str], report: Report) -> None:
    """The last words of an export: who asked for what, how much it was, and the digest of its lines."""
    manifest, account_id = index.manifest, str(index.export.get("account_id", ""))
    verify = _verifier(manifest_text)
    trusted = {key.lower() for key in keys}
    told = {"of": dict(index.export), "ranges": len(index.ranges), "rows": index.count}
    if not manifest:
        why = "it has no end; it was cut off, or is still being written"
    elif trusted and str(manifest.get("public_key", "")).lower() not in trusted:
        why = "it is signed by a key that is not trusted"
    elif verify is not None and not verify(manifest):
        why = "the signature over its contents does not hold"
    elif manifest.get("sha256") != index.digest or told != {name: manifest.get(name) for name in told}:
        why = "its lines are not those that were signed; rows may have been left out"
    else:
        report.part = dict(index.export)
        return
    kind = "altered" if manifest else "truncated"
    text = f"this file is not as it was handed out: {why}"
    report.findings.append(Finding(kind, account_id, 0, 0, 0, text))


def main(arguments: list[str]) -> int:
    """Exit status: 0 nothing is wrong, 1 something is, 2 the file cannot be read."""
    keys, heads = _values(arguments, "--key"), _values(arguments, "--heads")
    files = [word for word in arguments if word not in ("--key", "--heads", *keys, *heads)]
    if len(files) != 1 or len(heads) > 1:
        sys.stderr.write("Usage: python verify.py audit.jsonl [--key PUBLIC_KEY_HEX] [--heads FILE]\n")
        return 2
    try:
        report = verify_file(Path(files[0]), keys, Path(heads[0]) if heads else None)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for finding in report.findings:
        sys.stdout.write(f"{finding.kind}: {finding}\n")
    checked = "checked" if report.signatures_checked else "not checked (package cryptography is missing)"
    named = "" if keys else "; no key was named, so who signed is not proved"
    counts = f"{report.events} rows, {report.unsealed} not sealed yet, {report.checkpoints} checkpoints"
    if report.part:
        asked = canonical(report.part.get("filters", {}))
        whole = "a part of the log, asked for: " + asked if report.part.get("partial") else "the whole log"
        sys.stdout.write(f"Account {report.part.get('account_id')}: {whole}\n")
    sys.stdout.write(f"{counts}, signatures {checked}{named}: {'sound' if report.ok else 'NOT SOUND'}\n")
    return 0 if report.ok else 1


def _values(arguments: list[str], option: str) -> list[str]:
    return [arguments[place + 1] for place, word in enumerate(arguments[:-1]) if word == option]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
