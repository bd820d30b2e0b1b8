"""Runs one dns-lexicon job in a process of its own, under the egress rule (`connectors/guarded.py`)."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from certdesk.connectors import guarded

_MOST = 100_000


def run(request: Mapping[str, Any]) -> Any:
    """`list` answers record dictionaries; `change` deletes, then creates (type, name, content)."""
    # Its Client would guess the zone from the public suffix list, fetched over the network: here it is known.
    from lexicon.config import ConfigResolver

    name = str(request["provider"])
    module = importlib.import_module(f"lexicon._private.providers.{name}")
    known = {"provider_name": name, "domain": request["zone"], "ttl": request["ttl"]}
    config = ConfigResolver()  # type: ignore[no-untyped-call]
    provider = module.Provider(config.with_dict({**known, name: dict(request["settings"])}))
    provider.authenticate()
    try:
        if request["verb"] == "list":
            return list(provider.list_records(request["type"], request["name"]))[:_MOST]
        _change(provider, request["delete"], request["create"])
        return True
    finally:
        provider.cleanup()


def _change(provider: Any, delete: Sequence[Sequence[str]], create: Sequence[Sequence[str]]) -> None:
    for record_type, name, content in delete:
        provider.delete_record(rtype=record_type, name=name, content=content)
    for record_type, name, content in create:
        provider.create_record(record_type, name, content)


if __name__ == "__main__":
    guarded.answer_with(run)
