"""Options of a channel as a typed model: validated, sealed, shown without secrets, drawn as a form."""

from collections.abc import Mapping
from typing import Any

import pydantic

from certdesk.connectors.channels.protocol import ChannelError, Reason
from certdesk.connectors.dns.providers.options import MASK, ProviderOptions


class ChannelOptions(ProviderOptions):
    """Base of every kind's options; as those of a DNS connection, secrets are write-only."""


def read(model: type[ChannelOptions], given: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> Any:
    """The options from a form or request; `***` keeps the secret of `old` (as `stored` gave it).

    Raises:
        ChannelError: OPTIONS, naming the fields that are wrong, never their values.
    """
    kept = {
        key: (old or {}).get(key, "") if value == MASK else value
        for key, value in given.items()
        if value is not None
    }
    try:
        return model.model_validate(kept)
    except pydantic.ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)[:8]
        told = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'options'}: {one['msg'].removeprefix('Value error, ')}"
            for one in found
        )
        raise ChannelError(
            Reason.OPTIONS,
            f"The options of the channel are wrong: {told}.",
            "Correct these fields.",
            field="options",
        ) from None
