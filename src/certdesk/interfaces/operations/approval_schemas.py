"""What requests about approvals carry."""

from typing import Annotated

from pydantic import Field

from .schemas import Body, Number, PageQuery, Word


class ApprovalQuery(PageQuery):
    """`state`: one or several, with commas; `whose`: all, mine (I asked), or decide (they wait for me)."""

    state: Word = ""
    operation: Word = ""
    whose: Word = "all"


class ApprovalDecision(Body):
    decision: Word
    reason: Annotated[str, Field(max_length=2000)] = ""


class ApprovalRule(Body):
    """One kind of operation: how many other people, and for how many hours it can be decided."""

    operation: Word
    required: bool = True
    approvals: Number = 1
    hours: Number = 168


class ApprovalRules(Body):
    """All rules: what is left out, or not required, is off."""

    items: Annotated[list[ApprovalRule], Field(max_length=50)]
