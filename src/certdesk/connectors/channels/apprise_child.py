"""Runs one apprise job in a process of its own, under the egress rule (`connectors/guarded.py`)."""

from collections.abc import Mapping
from typing import Any

from certdesk.connectors import guarded
from certdesk.connectors.guarded import NotAllowed


def run(request: Mapping[str, Any]) -> dict[str, Any]:
    """`check` reads the URL, `send` sends. apprise says yes or no; what its requests met says why."""
    import apprise
    import requests

    met: dict[str, Any] = {"ok": False, "statuses": [], "broken": "", "refused": ""}
    service = apprise.Apprise.instantiate(str(request["url"]))
    if service is None:
        return {**met, "unknown": True}
    if request["verb"] == "check":
        return {**met, "ok": True}
    _watch(requests.Session, met)
    sender = apprise.Apprise()
    sender.add(service)
    met["ok"] = bool(
        sender.notify(body=str(request["body"]), title=str(request["title"]), body_format="text")
    )
    return met


def _watch(session: Any, met: dict[str, Any]) -> None:
    """Notes what every HTTP request met: apprise itself tells it to a log alone."""
    plain = session.send

    def send(self: Any, prepared: Any, **options: Any) -> Any:
        try:
            answer = plain(self, prepared, **options)
        except Exception as error:
            met["refused"] = met["refused"] or _refused(error)
            met["broken"] = type(error).__name__
            raise
        met["statuses"].append(int(answer.status_code))
        return answer

    session.send = send


def _refused(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotAllowed):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return ""


if __name__ == "__main__":
    guarded.answer_with(run)
