"""A kind of certificate authority that only tests have: it says what its script says, and keeps what it was
asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import Field

from certdesk.connectors.dns.providers.options import NO_SECRET, Secret
from certdesk.connectors.issuers import registry
from certdesk.connectors.issuers.options import IssuerOptions, Outside
from certdesk.connectors.issuers.protocol import (
    Capabilities,
    IssuerCheck,
    IssuerError,
    Order,
    OrderState,
    Reason,
    Wanted,
)

KIND = "scripted"
GOOD = IssuerCheck(True, notes=("The account is known.",))
BAD = IssuerCheck(False, "No connection to ca.example.test.", "Check the address.")
OPTIONS = {"host": "ca.example.test", "key": "hunter2-hunter2"}
WAITS = Order("order-1", OrderState.WORKING)


class ScriptedOptions(IssuerOptions):
    label: ClassVar[str] = "A scripted CA of tests"
    host: str = Field(title="Address")
    key: Secret = Field(NO_SECRET, title="Key")

    def endpoint(self) -> tuple[str, int] | None:
        return self.host, 443


@dataclass
class Script:
    """What the CA answers: a test, and each verb that orders; an error is raised. `calls` are the verbs."""

    check: IssuerCheck = GOOD
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(levels=frozenset({"DV", "OV"})))
    order: Order | IssuerError = WAITS
    raised: Exception | None = None
    calls: list[str] = field(default_factory=list)

    def answer(self, verb: str) -> Order:
        self.calls.append(verb)
        if isinstance(self.order, IssuerError):
            raise self.order
        return self.order


class ScriptedIssuer:
    def __init__(self, script: Script, options: ScriptedOptions) -> None:
        if options.host == "unusable.example.test":
            raise IssuerError(Reason.OPTIONS, "This CA is gone for good.", "Choose another one.")
        self._script, self.options = script, options

    @property
    def capabilities(self) -> Capabilities:
        return self._script.capabilities

    async def place(self, wanted: Wanted) -> Order:
        return self._script.answer("place")

    async def proceed(self, wanted: Wanted, handle: str, tasks: tuple[str, ...]) -> Order:
        return self._script.answer("proceed")

    async def poll(self, wanted: Wanted, handle: str) -> Order:
        return self._script.answer("poll")

    async def withdraw(self, handle: str) -> Order:
        return self._script.answer("withdraw")

    async def revoke(self, certificate: bytes, handle: str, reason: int) -> None:
        self._script.answer("revoke")

    async def test(self) -> IssuerCheck:
        self._script.calls.append("test")
        if self._script.raised is not None:
            raise self._script.raised
        return self._script.check


@contextmanager
def registered() -> Iterator[Script]:
    """The kind `scripted`, for the length of a test; its CA follows the script that this gives."""
    script = Script()

    def make(options: Any, _outside: Outside) -> ScriptedIssuer:
        return ScriptedIssuer(script, options)

    registry.KINDS[KIND] = registry.Kind(KIND, ScriptedOptions, make)
    try:
        yield script
    finally:
        del registry.KINDS[KIND]
