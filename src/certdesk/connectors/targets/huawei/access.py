"""An access key of Huawei Cloud: options that its services share, and signed calls."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

import pydantic

from certdesk.connectors.dns.providers.options import Secret
from certdesk.connectors.dns.providers.urls import ServerUrl, endpoint_of
from certdesk.connectors.targets import calling
from certdesk.connectors.targets.options import Listener, Outside, TargetOptions
from certdesk.foundation.common.sdk_signature import sign

Listeners = Annotated[tuple[Listener, ...], pydantic.Field(max_length=20)]


class HuaweiOptions(TargetOptions):
    """Region and access key."""

    host: ClassVar[str]

    region: str = pydantic.Field("cn-north-4", pattern=r"^[a-z0-9-]{1,40}$", title="Cloud region")
    access_key: str = pydantic.Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", title="Access key (AK)")
    secret_key: Secret = pydantic.Field(title="Secret key (SK)")
    service_url: ServerUrl | None = pydantic.Field(
        None, title="Service address", description="Empty: the region's own. Set it for a private cloud."
    )

    @property
    def base(self) -> str:
        return self.service_url or f"https://{self.host.format(region=self.region)}"

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.base)


class ProjectOptions(HuaweiOptions):
    """Of a service whose things belong to a project."""

    project_id: str = pydantic.Field(
        pattern=r"^[A-Za-z0-9]{1,64}$",
        title="Project id",
        description="Of the region's project: Huawei Cloud console, My Credentials.",
    )


class Api:
    """Signed calls to one service."""

    def __init__(self, options: HuaweiOptions, outside: Outside, now: Callable[[], datetime]) -> None:
        self._options, self._outside, self._now = options, outside, now
        self.host = urlsplit(options.base).netloc

    async def ask(
        self,
        what: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Any:
        """The answer's JSON, None for an empty one.

        Args:
            what: begins the sentence of a failure.

        Raises:
            TargetError: as `calling.call` and `calling.parsed`.
        """
        asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
        url = f"{self._options.base}{path}{asked}"
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if isinstance(self._options, ProjectOptions):
            headers["X-Project-Id"] = self._options.project_id
        secret = self._options.secret_key.get_secret_value()
        signed = sign(
            method, url, self._options.access_key, secret, now=self._now(), body=raw, headers=headers
        )
        return calling.parsed(await calling.call(self._outside, method, url, signed, raw), what, self.host)

    async def numbered(
        self, what: str, path: str, key: str, size: int, names: tuple[str, str], **query: str
    ) -> AsyncIterator[Any]:
        """The rows of a list that is read by page number; `names` are those of the page and its size."""
        page = 1
        while True:
            asked = {**query, names[0]: str(page), names[1]: str(size)}
            found = await self.ask(what, "GET", path, asked)
            try:
                rows = list(found[key])
            except calling.BadShape:
                raise calling.no_such_api(self.host) from None
            for row in rows:
                yield row
            if len(rows) < size:
                return
            page += 1
