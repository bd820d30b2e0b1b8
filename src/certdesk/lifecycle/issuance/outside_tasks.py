"""What a CA outside wants to see: who sets it up, what our own pages answer, and that it goes again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from certdesk.lifecycle.validation import asked
from certdesk.lifecycle.validation.perspectives import LOCAL, Look, look_all

from .models import OutsideOrder, ServedProof
from .outside_rules import Kept

HTTP_PATH = "/.well-known/acme-challenge/"
READY, TOLD = "ready", "told"
LOOK_SECONDS = 20.0
PIECE = 100  # rows a statement


def marked(tasks: Sequence[Kept], marks: Mapping[str, str]) -> tuple[Kept, ...]:
    """With what the last call found out: seen standing, or told to the CA as well."""
    return tuple(
        replace(one, ready=True, told=one.told or marks[one.id] == TOLD) if one.id in marks else one
        for one in tasks
    )


def assigned(order: OutsideOrder, tasks: Sequence[Kept]) -> tuple[Kept, ...]:
    """Who sets up each: automatic DNS where the application chose it, our own pages for an ACME challenge."""
    automatic = order.application.auto_dns
    return tuple(replace(one, by=_by(one, automatic=automatic)) for one in tasks)


def _by(task: Kept, *, automatic: bool) -> str:
    if _is_served(task):
        return "served"
    return "automatic" if task.method == "dns-01" and automatic else task.by


def _is_served(task: Kept) -> bool:
    """Whether our own pages answer at its address; a CA may also name another place on the host."""
    return task.method == "http-01" and urlsplit(task.where).path.startswith(HTTP_PATH)


def set_up(order: OutsideOrder, tasks: Sequence[Kept]) -> None:
    """Starts what we do ourselves, in the caller's transaction; twice changes nothing."""
    undone = [one for one in tasks if not one.done]
    records = [(one.where, one.record_type or "TXT", one.value) for one in undone if one.method == "dns-01"]
    asked.ask(order.application, order.placement_id, records)
    served = {(one.name[:255], _token(one.where)[:255]): one for one in undone if _is_served(one)}
    ServedProof.objects.bulk_create(
        [
            ServedProof(order=order, name=name, token=token, value=one.value[:1000])
            for (name, token), one in served.items()
        ],
        batch_size=PIECE,
        update_conflicts=True,
        unique_fields=["order", "name", "token"],
        update_fields=["value"],
    )


def clear(order: OutsideOrder) -> None:
    """The order is over: nothing of it stands any more."""
    asked.release(order.placement_id)
    ServedProof.objects.filter(order=order).delete()


def _token(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]


def answer(host: str, token: str) -> str | None:
    """What our own pages say to a CA that asks for an http-01 challenge; None when nothing is to be said."""
    found = ServedProof.objects.filter(token=token, name=host.lower())
    return found.values_list("value", flat=True).first()


async def standing(tasks: Sequence[Kept], now: datetime) -> frozenset[str]:
    """Ids of the tasks that can be seen from here by now."""
    if not tasks:
        return frozenset()
    looks = [_look(place, one) for place, one in enumerate(tasks)]
    sights = await look_all(looks, now, deadline=LOOK_SECONDS)
    seen = (one.look.challenge_id for one in sights if one.matches and one.perspective == LOCAL.name)
    return frozenset(tasks[place].id for place in seen)


def _look(place: int, task: Kept) -> Look:
    if task.method == "http-01":
        return Look(place, "", "", task.value, "HTTP", task.name, urlsplit(task.where).path)
    return Look(place, task.where, task.record_type or "TXT", task.value)
