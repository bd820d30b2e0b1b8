"""Who can open a backup: the KEK that sealed it, or the passphrase; nobody else."""

import base64
import json

import pytest

from certdesk.foundation.backup import head, manifest
from certdesk.foundation.backup.archive import Member
from certdesk.foundation.backup.errors import BackupBroken, BackupRefused
from certdesk.foundation.sealing.errors import KekRefused

PHRASE = "correct horse battery"
MADE = ("sqlite", "2026-11-25T00:00:00+00:00", "ab" * 8)


def changed(made: head.Head, **seal: object) -> head.Head:
    found = json.loads(made.line)
    return head.read(json.dumps({**found, "seal": {**found["seal"], **seal}}).encode())


def test_the_kek_opens_it_and_no_other_one() -> None:
    made, key = head.make(*MADE)
    assert head.key_of(head.read(made.line)) == key
    assert (made.database, made.made_at, made.installation) == MADE
    with pytest.raises(KekRefused, match="no version 7"):
        head.key_of(changed(made, kek_version=7))
    for wrong in ({"key": base64.b64encode(bytes(48)).decode()}, {"nonce": "%"}, {"key": None}):
        with pytest.raises(BackupRefused, match="KEK file is not the one"):
            head.key_of(changed(made, **wrong))


def test_the_passphrase_opens_it_and_no_other_one() -> None:
    made, key = head.make(*MADE, PHRASE)
    assert head.key_of(made, PHRASE) == key
    assert PHRASE.encode() not in made.line
    with pytest.raises(BackupRefused, match="passphrase is not the one"):
        head.key_of(made, PHRASE + "!")
    with pytest.raises(BackupRefused, match="sealed with a passphrase"):
        head.key_of(made)


def test_a_short_passphrase_is_refused() -> None:
    head.make(*MADE, "x" * head.SHORTEST_PASSPHRASE)
    with pytest.raises(BackupRefused, match="fewer than 12"):
        head.make(*MADE, "x" * (head.SHORTEST_PASSPHRASE - 1))


def test_other_files_and_later_formats_are_refused() -> None:
    made, _ = head.make(*MADE)
    for line in (b"", b"{}", b"SQLite format 3", b"[]", made.line.replace(b"certdesk-backup", b"tar")):
        with pytest.raises(BackupBroken, match="no backup of Certdesk"):
            head.read(line)
    with pytest.raises(BackupRefused, match="format 2"):
        head.read(made.line.replace(b'"version": 1', b'"version": 2'))


def test_a_manifest_that_names_other_members_is_refused() -> None:
    member = Member("a", 1, "00")
    made = manifest.Manifest(
        "now", "sqlite", "i", {"t": 1}, {}, [1], [{"name": "a", "size": 1, "sha256": "00"}]
    )
    assert manifest.manifest(manifest.text(made), [member]) == made
    with pytest.raises(BackupBroken, match="other content"):
        manifest.manifest(manifest.text(made), [Member("a", 2, "00")])
    for data in (b"", b"{}", b"[1]"):
        with pytest.raises(BackupBroken, match="cannot be read"):
            manifest.schema(data)
