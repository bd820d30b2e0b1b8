"""Addresses of HTTP APIs in options."""

from typing import Annotated
from urllib.parse import urlsplit

import pydantic


def _server_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("this is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("begin with https:// (or http:// inside your own network)")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("give scheme, host and port, without user name, password or query")
    return text.rstrip("/").removesuffix("/api/v1")


ServerUrl = Annotated[str, pydantic.Field(max_length=300), pydantic.AfterValidator(_server_url)]


def endpoint_of(url: str) -> tuple[str, int]:
    """Host in lower case and port."""
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
