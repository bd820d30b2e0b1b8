"""The WSGI application that granian runs: one blocking thread a process, a process a core."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certdesk.config.django")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
