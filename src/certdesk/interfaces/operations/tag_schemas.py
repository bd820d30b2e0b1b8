"""Bodies of tags and CSRs (API §1.9, §1.10); the rooms decide what the values may be."""

from typing import Annotated, Literal

from pydantic import Field

from .schemas import Body, Line, Names, Number, Pem, TagBody, Tags, Word


class NewTag(Body):
    tag: TagBody


class TagBatch(Body):
    action: Literal["create", "delete"]
    tags: Tags


class TagValues(Body):
    """A key with some of its values; none = any."""

    key: Line
    values: Annotated[list[Line], Field(max_length=100)] = []


Conditions = Annotated[list[TagValues], Field(max_length=100)]


class TagSearchBody(Body):
    """API §1.9."""

    action: Literal["filter", "count"]
    without_any_tag: bool = False
    tags: Conditions = []
    tags_any: Conditions = []
    not_tags: Conditions = []
    not_tags_any: Conditions = []
    limit: Number = 10
    offset: Number = 0
    matches: Tags = []


class NewCsr(Body):
    """API §1.10."""

    name: Line
    domain_name: Line
    private_key_algo: Word
    sans: Names = ""
    usage: Word = "PERSONAL"
    company_country: Line = ""
    company_province: Line = ""
    company_city: Line = ""
    company_name: Line = ""


class UploadedCsr(Body):
    name: Line
    csr: Pem
    private_key: Annotated[Pem, Field(repr=False)] = ""


class CsrName(Body):
    name: Line


class CsrQuery(Body):
    limit: Number = 10
    offset: Number = 0
    name: Line = ""
    private_key_algo: Word = ""
