"""Tags as other pages show them: their words, their links, and the card on the page of a certificate."""

from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import rules, tags
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.tag_rules import MOST
from certdesk.lifecycle.certificates.tags import BATCH, CREATE, OF_ONE


def text(key: str, value: str) -> str:
    """A tag in one piece, as the filter of lists takes it."""
    return f"{key}={value}" if value else key


def shown(tag: str) -> str:
    """The tag of a filter without the `=` that stands for an empty value."""
    return tag.removesuffix("=")


def filter_url(key: str, value: str | None) -> str:
    """The list of certificates with the tag; without a value: with the key, whatever its value."""
    tag = key if value is None else f"{key}={value}"
    return f"{reverse('certificates')}?{urlencode({'tag': tag})}"


def context(principal: Principal, certificate: Certificate) -> dict[str, Any]:
    """The tags of a certificate for its page; nothing for who may not see them."""
    resource = rules.resource_of(certificate)
    if not principal.may(OF_ONE, resource):
        return {}
    found = tags.read(certificate)
    may_list = principal.may("scm:cert:list")
    return {
        "tags": [
            {
                "key": one.key,
                "value": one.value,
                "text": text(one.key, one.value),
                "url": filter_url(one.key, one.value) if may_list else "",
            }
            for one in found
        ],
        "tags_shown": True,
        "may_tag": principal.may(CREATE, resource),
        "may_untag": principal.may(BATCH, resource),
        "tags_full": len(found) >= MOST,
        "tags_most": MOST,
    }
