"""The parts of the list goals that run beside the service, on its database: one command, figures as JSON.

list_work.py fill N       copies of the one certificate of the database, until there are N
list_work.py bare         seconds of a bare page of 50 (p50, p99) and of the LIKE scan over all names
list_work.py search KEYS  seconds of the search for one name of them, permission and page included (median)
list_work.py page         SQL statements and CPU seconds of the console's list page
list_work.py signature    CPU seconds of authenticating one signed request
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

FIRST = 1_000_000_000_000  # ids of the copies: scs1000000000000 and on
NAME = "'host' || i || '.shop-' || (i %% 997) || '.example.com'"
PAGE = (
    "SELECT c.*, v.signature_algorithm FROM certificates_certificate c LEFT JOIN certificates_version v"
    " ON v.certificate_id = c.id AND v.number = c.current_version WHERE c.account_id = %s"
    " AND (c.updated_at, c.id) < (%s, 't') ORDER BY c.updated_at DESC, c.id DESC LIMIT 50"
)
SCAN = "SELECT certificate_id FROM certificates_certificatename WHERE name LIKE %s LIMIT 50"
NEEDLE = "host777.shop-777"


def _read_names(sql: Any) -> int:
    from certdesk.lifecycle.certificates import name_search

    with sql.short_transaction():
        return int(name_search.read_names(20_000))


def fill(count: int) -> dict[str, float]:
    """Copies with names, dates and states of their own; in pieces of 100,000."""
    from certdesk.foundation.common import sql
    from certdesk.lifecycle.certificates.models import Certificate, CertificateName

    model = Certificate.objects.exclude(id__startswith="scs10000").order_by("id")[0]
    have = Certificate.objects.filter(id__startswith="scs10000").count()
    own = {
        "id": f"'scs' || ({FIRST} + i)",
        "name": "'cert-' || i",
        "domain": NAME,
        "sans": NAME,
        "state": "'ISSUED'",
        "updated_at": "m.updated_at - i * 1000000",
        "not_after": "m.created_at + (i %% 31536000) * 1000000",
    }
    columns = [field.column for field in Certificate._meta.concrete_fields]
    values = ", ".join(own.get(name, f"m.{name}") for name in columns)
    series = "WITH RECURSIVE n(i) AS (SELECT CAST({0} AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {1})"
    for start in range(have + 1, count + 1, 100_000):
        numbers = series.format(start, min(start + 99_999, count))
        from_model = f"FROM n, certificates_certificate m WHERE m.id = '{model.id}'"
        with sql.short_transaction():
            sql.execute(
                f"INSERT INTO certificates_certificate ({', '.join(columns)}) {numbers}"
                f" SELECT {values} {from_model}"
            )
            names = [field.column for field in CertificateName._meta.concrete_fields if field.column != "id"]
            told = {"certificate_id": own["id"], "name": NAME, "account_id": "m.account_id"}
            sql.execute(
                f"INSERT INTO certificates_certificatename ({', '.join(names)}) {numbers}"
                f" SELECT {', '.join(told[name] for name in names)} {from_model}"
            )
    while _read_names(sql):
        pass  # what workers do meanwhile in some minutes
    sql.execute("ANALYZE")
    return {"rows": count}


def bare() -> dict[str, float]:
    from certdesk.foundation.common import sql
    from certdesk.lifecycle.certificates.models import Certificate

    model = Certificate.objects.order_by("-updated_at")[0]
    count, newest = Certificate.objects.count(), int(model.updated_at.timestamp() * 1_000_000)
    pages = times(
        lambda turn: sql.rows(PAGE, [model.account_id, newest - turn * 7919 % count * 1_000_000]), 400
    )
    scans = times(lambda turn: sql.rows(SCAN, [f"%{NEEDLE}%"]), 5)
    return {"p50": pages[200], "p99": pages[395], "scan": scans[2]}


def search(access_key: str, secret_key: str) -> dict[str, float]:
    from certdesk.lifecycle.certificates import queries
    from certdesk.lifecycle.certificates.filters import SearchFilters

    principal, now = _authenticator(access_key, secret_key)(), datetime.now(UTC)
    wanted = SearchFilters(content=NEEDLE)
    if not queries.search_page(principal, wanted, None, now).items:
        raise RuntimeError("the search found nothing")
    return {"p50": times(lambda turn: queries.search_page(principal, wanted, None, now), 200)[100]}


def times(work: Callable[[int], object], count: int) -> list[float]:
    """Seconds of each turn, sorted."""
    found = []
    for turn in range(count):
        began = time.perf_counter()
        work(turn)
        found.append(time.perf_counter() - began)
    return sorted(found)


def page() -> dict[str, float]:
    from django.db import connection
    from django.test import Client

    from certdesk.foundation.iam.models import User

    client = Client()
    user = User.objects.get(name="admin")
    user.must_change_password = False
    user.save()
    client.force_login(user, backend="certdesk.interfaces.console.accounts.Backend")
    if client.get("/certificates").status_code != 200:
        raise RuntimeError("the list page was not shown")
    statements: list[str] = []

    def note(execute: Callable[..., object], statement: str, *rest: object) -> object:
        statements.append(statement)
        return execute(statement, *rest)

    with connection.execute_wrapper(note):
        client.get("/certificates")
    began = time.process_time()
    for _ in range(30):
        client.get("/certificates")
    return {"statements": len(statements), "cpu": (time.process_time() - began) / 30}


def signature(access_key: str, secret_key: str) -> dict[str, float]:
    authenticate, spent = _authenticator(access_key, secret_key), []
    for _ in range(10):
        began = time.process_time()
        for _ in range(200):
            authenticate()
        spent.append((time.process_time() - began) / 200)
    return {"cpu": sorted(spent)[5]}


def _authenticator(access_key: str, secret_key: str) -> Callable[[], Any]:
    """Answers the principal of one signed request."""
    from certdesk.foundation.iam import requests
    from certdesk.foundation.iam import signature as signing

    url, now = "http://127.0.0.1:8080/v3/scm/certificates/search?limit=50", datetime.now(UTC)
    headers = signing.sign("GET", url, access_key, secret_key, now=now, body=b"", headers={})
    given = {name.lower(): value for name, value in headers.items()} | {"host": "127.0.0.1:8080"}
    path, _mark, query = url.removeprefix("http://127.0.0.1:8080").partition("?")
    message = signing.Message("GET", path.encode(), query, lambda name: given.get(name.lower()), b"")
    return lambda: requests.authenticate(message, headers["Authorization"], now)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certdesk.config.django")
    import django

    django.setup()
    command, *arguments = sys.argv[1:]
    if command == "fill":
        found = fill(int(arguments[0]))
    elif command in ("search", "signature"):
        found = {"search": search, "signature": signature}[command](*arguments)
    else:
        found = {"bare": bare, "page": page}[command]()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
