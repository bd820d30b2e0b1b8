"""The providers of dns-lexicon (optional: `certdesk[dns]`), each call in a process of its own.

What lexicon cannot do: list an account's zones (they are named here), change a TTL in place, say why it
failed in a form of its own.
"""

import importlib.util
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import pydantic
from pydantic import SecretStr

from certdesk.connectors import guarded
from certdesk.connectors.dns.providers.answers import BadShape
from certdesk.connectors.dns.providers.options import ProviderOptions, ZoneNames
from certdesk.connectors.dns.providers.paging import page_of
from certdesk.connectors.dns.providers.protocol import (
    ConnectionCheck,
    DnsError,
    Outside,
    Page,
    Reason,
    RecordSet,
    Zone,
)
from certdesk.connectors.dns.providers.sets import WholeSets
from certdesk.connectors.dns.providers.values import canonical, inside, normal, same, txt_bytes, written

_CHILD = "certdesk.connectors.dns.providers.lexicon_child"
_MOST_TESTED = 20
# `auto` guesses, `localzone` writes files of this machine.
_NOT_OURS = ("auto", "localzone", "base")


def _provider_name(name: str) -> str:
    if name in _NOT_OURS:
        raise ValueError(f"the provider {name} is not offered here")
    return name


class LexiconOptions(ProviderOptions):
    """Which provider of lexicon, its settings, and the zones."""

    label: ClassVar[str] = "Other providers (dns-lexicon)"

    provider: Annotated[str, pydantic.AfterValidator(_provider_name)] = pydantic.Field(
        pattern=r"^[a-z0-9]{1,30}$", title="Provider", description="lexicon's name of it, e.g. cloudflare."
    )
    zones: ZoneNames = pydantic.Field(
        title="Zones", examples=["example.com"], description="Name each zone that may be written."
    )
    settings: dict[
        Annotated[str, pydantic.Field(pattern=r"^[a-z0-9_]{1,60}$")],
        Annotated[SecretStr, pydantic.Field(max_length=8192)],
    ] = pydantic.Field(
        title="Settings",
        description="As in lexicon's documentation, without dashes, e.g. auth_token.",
        max_length=30,
    )


def is_installed() -> bool:
    return importlib.util.find_spec("lexicon") is not None


class Lexicon(WholeSets):
    """`Provider` over dns-lexicon."""

    def __init__(self, options: LexiconOptions, outside: Outside) -> None:
        if not is_installed():
            raise DnsError(
                Reason.NOT_INSTALLED,
                "dns-lexicon is not installed.",
                'Ask the operator to install it: pip install "certdesk[dns]".',
            )
        self.outside = outside
        self._options = options

    @property
    def place(self) -> str:
        return f"lexicon:{self._options.provider}"

    async def zones(self, marker: str | None = None) -> Page[Zone]:
        return page_of(tuple(Zone(name) for name in self._options.zones), marker)

    async def record_sets(self, zone: Zone, marker: str | None = None) -> Page[RecordSet]:
        return page_of(tuple(await self._list(zone, None, None)), marker)

    async def record_set(self, zone: Zone, name: str, record_type: str) -> RecordSet | None:
        name = inside(zone, name)
        found = await self._list(zone, name, record_type)
        return next((one for one in found if (one.name, one.type) == (name, record_type)), None)

    async def _list(self, zone: Zone, name: str | None, record_type: str | None) -> list[RecordSet]:
        rows = await self._run(zone, {"verb": "list", "name": name, "type": record_type})
        sets: dict[tuple[str, str], tuple[int, list[str], list[str]]] = {}
        try:
            for row in rows:
                key = normal(row["name"]), str(row["type"])
                _, values, contents = sets.setdefault(key, (int(row.get("ttl") or 300), [], []))
                values.append(_value(key[1], str(row["content"])))
                contents.append(str(row["content"]))
        except BadShape:
            raise self._failed("its list of records is not of lexicon's form") from None
        return [
            RecordSet(name, record_type, ttl, tuple(values), tuple(contents))
            for (name, record_type), (ttl, values, contents) in sorted(sets.items())
        ]

    async def write(self, zone: Zone, old: RecordSet | None, new: RecordSet) -> None:
        before = {} if old is None else _contents(old)
        gone = [value for value in before if value not in new.values]
        added = [value for value in new.values if value not in before]
        if old is not None and old.ttl != new.ttl:
            gone, added = list(before), list(new.values)
        await self._change(
            zone,
            new.ttl,
            delete=[(new.type, new.name, before[value]) for value in gone],
            create=[(new.type, new.name, _content(new.type, value)) for value in added],
        )
        await self._check_kept(zone, new)

    async def _check_kept(self, zone: Zone, new: RecordSet) -> None:
        """Some of its providers ignore what does not go together, or write another CNAME than was asked."""
        kept = await self.record_set(zone, new.name, new.type)
        if kept is None:
            message = f"{self._options.provider} did not keep the {new.type} record of {new.name}."
            raise DnsError(Reason.CONFLICT, message, "Look at the provider what else stands at the name.")
        if new.type == "CNAME" and not same("CNAME", kept.values[0], new.values[0]):
            await self.erase(zone, kept)
            message = f"{self._options.provider} wrote the CNAME as {kept.values[0]}; it was removed again."
            raise DnsError(Reason.BAD_ANSWER, message, "Use a TXT record, or another kind of connection.")

    async def erase(self, zone: Zone, old: RecordSet) -> None:
        contents = _contents(old).values()
        await self._change(zone, old.ttl, delete=[(old.type, old.name, one) for one in contents], create=[])

    async def _change(
        self, zone: Zone, ttl: int, delete: list[tuple[str, str, str]], create: list[tuple[str, str, str]]
    ) -> None:
        await self._run(zone, {"verb": "change", "delete": delete, "create": create}, ttl)

    async def test(self) -> ConnectionCheck:
        """Signs in for each zone and lists it."""
        fine: list[str] = []
        try:
            for name in self._options.zones[:_MOST_TESTED]:
                await self._list(Zone(name), name, "TXT")
                fine.append(name)
        except DnsError as error:
            return ConnectionCheck(False, tuple(fine), error.message, error.next_step)
        return ConnectionCheck(True, tuple(fine))

    async def _run(self, zone: Zone, job: Mapping[str, Any], ttl: int = 300) -> Any:
        request = {
            "provider": self._options.provider,
            "settings": self._options.stored()["settings"],
            "zone": zone.name,
            "ttl": ttl,
            "ports": sorted(self.outside.ports),
            "networks": [str(network) for network in self.outside.allow_networks],
            "own": sorted(self.outside.own_servers),
            **job,
        }
        answer = await self._child(json.dumps(request).encode())
        if "result" in answer:
            return answer["result"]
        raise self._problem(answer.get("kinds", []), int(answer.get("status", 0)), answer.get("refused", ""))

    async def _child(self, request: bytes) -> dict[str, Any]:
        try:
            return await guarded.ask(_CHILD, request, self.outside.seconds)
        except TimeoutError:
            message = f"{self._options.provider} did not finish within {self.outside.seconds:g} s."
            raise DnsError(Reason.TIMEOUT, message) from None
        except ValueError:
            raise self._failed("its process ended without an answer") from None

    def _problem(self, kinds: list[str], status: int, refused: str) -> DnsError:
        if refused:
            return DnsError(
                Reason.EGRESS,
                f"{self._options.provider} wanted {refused}, which is not allowed.",
                "Ask the operator to allow the address (CERTDESK_ALLOW_NETWORKS) or port.",
            )
        told = f"{', '.join(kinds[:3])}{f', HTTP {status}' if status else ''}"
        reason = _reason(kinds, status)
        return DnsError(reason, f"{self._options.provider} failed: {told}.", _NEXT_STEP.get(reason, ""))

    def _failed(self, why: str) -> DnsError:
        return DnsError(Reason.BAD_ANSWER, f"{self._options.provider} failed: {why}.", "Check the settings.")


_NEXT_STEP = {
    Reason.WRONG_KEY: "Check the credentials in the settings.",
    Reason.NO_ZONE: "Check the zone's name and that the credentials may see it.",
    Reason.NOT_INSTALLED: "Ask the operator for what this provider needs: pip install dns-lexicon[full].",
    Reason.BAD_ANSWER: "Check the settings with lexicon's documentation of the provider.",
}
_BY_STATUS = {401: Reason.WRONG_KEY, 403: Reason.WRONG_KEY, 404: Reason.NO_ZONE, 422: Reason.CONFLICT}


def _reason(kinds: list[str], status: int) -> Reason:
    if status:
        busy = status == 429 or status >= 500
        return Reason.BUSY if busy else _BY_STATUS.get(status, Reason.REFUSED)
    words = " ".join(kinds)
    if "Authentication" in words:
        return Reason.WRONG_KEY
    if "ModuleNotFound" in words or "ImportError" in words:
        return Reason.NOT_INSTALLED
    if "Timeout" in words:
        return Reason.TIMEOUT
    return Reason.UNREACHABLE if "Connection" in words else Reason.BAD_ANSWER


def _value(record_type: str, content: str) -> str:
    """Zone-file text of lexicon's content; of types that only the provider spells, the content itself."""
    quoted = len(content) > 1 and content[0] == content[-1] == '"'
    try:
        if record_type == "TXT" and not quoted:
            return written("TXT", content)
        return canonical(record_type, content)
    except DnsError:
        return content


def _content(record_type: str, value: str) -> str:
    """lexicon takes the text of a TXT record without quotation marks."""
    return txt_bytes(value).decode("utf-8", "replace") if record_type == "TXT" else value


def _contents(record_set: RecordSet) -> dict[str, str]:
    """Value → the content as lexicon gave it, by which it finds the record again."""
    native: Any = record_set.native
    return dict(zip(record_set.values, native, strict=True)) if native else {}
