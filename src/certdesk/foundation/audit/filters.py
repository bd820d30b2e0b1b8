"""What a reader of the audit log asks for, and its conditions in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from certdesk.foundation.common import clock, sql

KINDS = (
    "access-key", "account", "agency", "agent", "acme-account", "acme-credential", "acme-order",
    "approval", "audit", "authority", "binding", "bulk", "campaign", "cert", "channel", "company", "contact",
    "coupon", "csr", "deployment", "dnsConnection", "domain", "endpoint", "group", "issued", "issuer", "job",
    "key", "message", "noticeHours", "noticeRule", "order", "policy", "product", "project", "scan", "target",
    "user", "view", "voucher",
)  # fmt: skip
"""What resources may be; the id alone is looked for under each of them."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty ones let everything through.

    Attributes:
        since, until: both included; real time.
        actor: a user's name, or an actor as the log has it: `user:<id>`, `job:<kind>`, `system`.
        action: an action or event; with `*` at the end, all that begin so.
        resource: `type:id`, or the id alone.
        actions: only these, if any are given, beside `action`; `*` likewise.
        events: a further such list; both have to let an event through.
    """

    since: datetime | None = None
    until: datetime | None = None
    actor: str = ""
    action: str = ""
    resource: str = ""
    actions: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    @property
    def is_set(self) -> bool:
        return self != Filters()

    def as_text(self) -> dict[str, str]:
        """As an export names them."""
        moments = {"from": self.since, "to": self.until}
        texts = {"actor": self.actor, "action": self.action, "resource": self.resource}
        given = {name: _exact(one) for name, one in moments.items() if one} | texts
        given |= {"actions": " ".join(self.actions), "events": " ".join(self.events)}
        return {name: text for name, text in given.items() if text}

    def of_time(self) -> tuple[str, list[object]]:
        return _joined(
            [
                ("at >= %s", [clock.to_micros(self.since)] if self.since else None),
                ("at <= %s", [clock.to_micros(self.until)] if self.until else None),
            ]
        )

    def of_rest(self) -> tuple[str, list[object]]:
        """All but time and resource."""
        who: list[object] = [self.actor, self.actor]
        return _joined(
            [
                ("(actor = %s OR actor_name = %s)", who if self.actor else None),
                _one_of([self.action] if self.action else []),
                _one_of(self.actions),
                _one_of(self.events),
            ]
        )

    def of_resource(self) -> tuple[str, list[object]]:
        known = ":" in self.resource or self.resource == "mail-server"
        names = [self.resource] if known else [f"{kind}:{self.resource}" for kind in KINDS]
        return _joined([(f"resource IN ({sql.marks(names)})", names if self.resource else None)])


def _exact(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _one_of(actions: Sequence[str]) -> tuple[str, list[object] | None]:
    """Any of these actions; `*` at the end stands for whatever follows."""
    exact: list[object] = [one for one in actions if not one.endswith("*")]
    begun = [one[:-1] for one in actions if one.endswith("*")]
    tests = [f"action IN ({sql.marks(exact)})"] if exact else []
    tests += ["SUBSTR(action, 1, %s) = %s"] * len(begun)
    values = exact + [value for prefix in begun for value in (len(prefix), prefix)]
    return f"({' OR '.join(tests)})", values if actions else None


def _joined(parts: Sequence[tuple[str, Sequence[object] | None]]) -> tuple[str, list[object]]:
    """Conditions that are wanted, each with AND before it, and their parameters."""
    wanted = [(text, values) for text, values in parts if values is not None]
    return "".join(f" AND {text}" for text, _ in wanted), [one for _, values in wanted for one in values]
