"""The lab DNS server's records file: zone-file lines, read again when the file changes."""

import sys
from pathlib import Path

import dns.exception
import dns.name
import dns.rdataset
import dns.rrset
import dns.zonefile

from certdesk.lab.dns_records import Records


class RecordsFile:
    """Keeps the file's record sets in `records`; sets made by other ways stay.

    A file that cannot be read changes nothing and is complained about on standard error.
    """

    def __init__(self, path: Path, records: Records) -> None:
        self._path, self._records = path, records
        self._seen: tuple[int, int, int] | None = None
        self._loaded: list[dns.rrset.RRset] = []
        self.refresh()

    def refresh(self) -> None:
        """Cheap (one stat) while the file stays as it is; a missing file means no records."""
        try:
            status = self._path.stat()
            now = (status.st_mtime_ns, status.st_size, status.st_ino)
        except FileNotFoundError:
            now = (0, 0, 0)
        if now == self._seen:
            return
        self._seen = now
        try:
            text = self._path.read_text(encoding="utf-8") if now != (0, 0, 0) else ""
            rrsets = dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=300, origin=dns.name.root)
        except (dns.exception.DNSException, OSError, UnicodeDecodeError) as error:
            sys.stderr.write(f"{self._path}: {error}; the records stay as they were\n")
            return
        self._records.change(lambda: self._replace(rrsets))

    def _replace(self, rrsets: list[dns.rrset.RRset]) -> None:
        for old in self._loaded:
            self._records.delete(old.name, old.rdtype)
        for new in rrsets:
            plain = dns.rdataset.from_rdata_list(new.ttl, list(new))
            self._records.put(new.name, plain)
        self._loaded = rrsets
