"""The WSGI application that granian runs: a process a core; of its threads one runs at a time."""

import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certdesk.config.django")

from django.core.wsgi import get_wsgi_application

from certdesk.foundation.common.baton import baton

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django, for the thread whose turn it is."""
    with baton:
        return _django(environ, start_response)
