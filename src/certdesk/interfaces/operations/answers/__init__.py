"""What each operation answers, as types: the description of the API and the client are made from them.

An operation that answers nothing (204) has no line. The tests hold every answer that they see against its
type.
"""

from . import (
    agencies,
    approvals,
    audit,
    campaigns,
    certificates,
    deployment,
    desk,
    discovery,
    issuers,
    notifications,
    orders,
    overview,
    people,
    tools,
    v2,
)
from .common import FileAnswer

__all__ = ["ANSWERS", "FileAnswer"]

ANSWERS: dict[str, object] = {
    **certificates.ANSWERS,
    **orders.ANSWERS,
    **overview.ANSWERS,
    **people.ANSWERS,
    **agencies.ANSWERS,
    **desk.ANSWERS,
    **notifications.ANSWERS,
    **deployment.ANSWERS,
    **discovery.ANSWERS,
    **issuers.ANSWERS,
    **tools.ANSWERS,
    **audit.ANSWERS,
    **campaigns.ANSWERS,
    **approvals.ANSWERS,
    **v2.ANSWERS,
}
