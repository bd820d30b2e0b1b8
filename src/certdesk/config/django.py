"""Django's settings, derived from our own; the only place that Django is configured.

Imported by the start-up through DJANGO_SETTINGS_MODULE=certdesk.config.django.
"""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from certdesk.config.settings import load
from certdesk.foundation.common import session_key
from certdesk.foundation.common import settings as house

CERTDESK = load()
house.install(CERTDESK)

PACKAGE = Path(__file__).resolve().parent.parent
CONSOLE = PACKAGE / "interfaces" / "console"


def _database() -> dict[str, Any]:
    if not CERTDESK.database_url:
        return {
            "ENGINE": "certdesk.foundation.common.sqlite",
            "NAME": str(CERTDESK.data / "certdesk.sqlite3"),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",  # a writer waits at BEGIN, never fails half-way
                "timeout": 20,
                # Requests that write together have a statement for each number of them: 128, the usual
                # limit, made SQLite compile a good part of them anew each time, a twelfth of an issuance.
                "cached_statements": 512,
                "init_command": (
                    "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;"
                    "PRAGMA cache_size=-65536;PRAGMA mmap_size=1073741824;PRAGMA temp_store=MEMORY;"
                    # The worker folds the log in every second; without one a writer does at 128 MiB.
                    "PRAGMA wal_autocheckpoint=32000;"
                ),
            },
            "CONN_MAX_AGE": None,
            "TEST": {"NAME": str(CERTDESK.data / "test.sqlite3")},
        }
    url = urlsplit(CERTDESK.database_url)
    query = dict(parse_qsl(url.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or query.get("host", ""),  # ?host=/folder names a Unix socket
        "PORT": str(url.port or ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


DATABASES = {"default": _database()}
SECRET_KEY = session_key.derive(CERTDESK, "django")
DEBUG = False
ALLOWED_HOSTS = ["*"]  # the signed Host is checked by the API, the console's by CSRF origin
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [CONSOLE / "locale"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "certdesk.config.urls"
WSGI_APPLICATION = "certdesk.config.wsgi.application"
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 600
DATA_UPLOAD_MAX_NUMBER_FILES = 5
FILE_UPLOAD_HANDLERS = ["certdesk.interfaces.console.uploads.Bounded"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "certdesk.foundation.sealing",
    "certdesk.foundation.audit",
    "certdesk.foundation.iam",
    "certdesk.foundation.jobs",
    "certdesk.foundation.outbox",
    "certdesk.foundation.approvals",
    "certdesk.pki.keystore",
    "certdesk.pki.authority",
    "certdesk.lifecycle.catalogue",
    "certdesk.lifecycle.certificates",
    "certdesk.lifecycle.issuers",
    "certdesk.lifecycle.orders",
    "certdesk.lifecycle.applications",
    "certdesk.lifecycle.validation",
    "certdesk.lifecycle.issuance",
    "certdesk.lifecycle.notifications",
    "certdesk.lifecycle.enrolment",
    "certdesk.lifecycle.deployment",
    "certdesk.lifecycle.hosts",
    "certdesk.lifecycle.discovery",
    "certdesk.lifecycle.renewal",
    "certdesk.lifecycle.bulk",
    "certdesk.lifecycle.campaigns",
    "certdesk.lifecycle.overview",
    "certdesk.interfaces.operations",
    "certdesk.interfaces.console",
]

MIDDLEWARE = [
    "certdesk.interfaces.console.middleware.edge",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "certdesk.interfaces.console.middleware.console",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [CONSOLE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "certdesk.interfaces.console.context.shell",
            ]
        },
    }
]

AUTH_USER_MODEL = "iam.User"
AUTHENTICATION_BACKENDS = ["certdesk.interfaces.console.accounts.Backend"]
PASSWORD_HASHERS = ["certdesk.foundation.iam.passwords.Argon2"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = "login"
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "certdesk.interfaces.console.accounts.Adapter"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_REDIRECT_URL = "/login"
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip"}  # failures are counted by iam/throttle.py

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "certdesk.interfaces.console.errors.csrf_failed"
SECURE_PROXY_SSL_HEADER = None  # the edge middleware believes trusted proxies only
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

STATIC_URL = "/static/"
STATIC_ROOT = CONSOLE / "static"  # served from where it lies: nothing is collected
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 3600
LOGGING_CONFIG = None
SILENCED_SYSTEM_CHECKS = ["security.W003"]
