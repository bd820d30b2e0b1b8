"""The typed client: each operation a method, one exception, pages, repeats that do nothing twice, waiting."""

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import certdesk.client
from certdesk.client import Certdesk, ClientError, Download, Refused, Unreachable, Waiting
from certdesk.client.generated.chapters import Chapters
from certdesk.client.transport import Transport
from certdesk.interfaces.cli.installation import free_port
from tests.support.scripted import serving

ROOT = Path(__file__).resolve().parents[2]
ORDER: dict[str, Any] = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "domain_type": "SINGLE_DOMAIN",
    "domain_numbers": 1,
    "agree_privacy_protection": True,
    "is_auto_pay": True,
}
NO = b'{"error_code": "SCM.9429", "error_msg": "Too many requests"}'


def test_every_operation_that_is_there_is_a_method() -> None:
    from certdesk.interfaces.operations.index import OPERATIONS
    from certdesk.interfaces.operations.openapi.client import safe

    chapters = Chapters(None)  # type: ignore[arg-type]
    missing = [
        name
        for name, one in OPERATIONS.items()
        if not one.later
        and not callable(
            getattr(getattr(chapters, name.partition(".")[0], None), safe(name.partition(".")[2]), None)
        )
    ]
    assert missing == []
    assert not hasattr(chapters, "targets") or not OPERATIONS["targets.list"].later
    assert list(inspect.signature(chapters.orders.pay).parameters)[-1] == "idempotency_key"


def test_importing_it_needs_no_server() -> None:
    code = (
        "import sys, certdesk.client\n"
        "print([name for name in sys.modules if name.startswith(('django', 'certdesk.interfaces'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_caller_is_checked_by_mypy(tmp_path: Path) -> None:
    good = tmp_path / "good.py"
    good.write_text(
        "from certdesk.client import Certdesk, Refused\n"
        "def ids(desk: Certdesk) -> list[str]:\n"
        "    try:\n"
        "        return [row['id'] for row in desk.certificates.iter_search(status='ISSUED', limit=50)]\n"
        "    except Refused as refused:\n"
        "        return [refused.code]\n"
    )
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from certdesk.client import Certdesk\n"
        "def wrong(desk: Certdesk) -> int:\n"
        "    desk.certificates.search(status='NONSENSE')\n"
        "    return desk.certificates.show('x')['domain']\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent"]
    found = subprocess.run(
        [*command, f"--cache-dir={tmp_path / 'cache'}", str(good), str(bad)],
        env={"MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in found.stdout.splitlines() if ": error:" in line]
    assert [Path(line.partition(":")[0]).name for line in lines] == ["bad.py", "bad.py"], found.stdout


@pytest.mark.slow
def test_buying_reading_and_paging(desk: Certdesk) -> None:
    made = [desk.orders.buy(**ORDER)["cert"][0]["cert_id"] for _ in range(12)]
    assert set(made) <= {row["id"] for row in desk.certificates.iter_search(limit=10)}
    assert set(made) <= {row["id"] for row in desk.certificates.iter_list(limit=10)}
    shown = desk.certificates.show(made[0])
    assert (shown["status"], shown["next_actor"]) == ("PAID", "applicant")
    assert desk.certificates.edit(made[0], name="corner", description="a + b & c")["name"] == "corner"
    assert [row["id"] for row in desk.certificates.iter_search(content="corner")] == made[:1]
    assert desk.certificates.list(limit=10, offset=0)["total_count"] >= 12
    file = desk.orders.export()
    assert isinstance(file, Download)
    assert file.name.endswith(".csv")
    assert "orders" in repr(file)
    assert desk.certificates.unsubscribe(made[1])["unsubscribe_results"] == "SUCCESS"
    connection = desk.dns_connections.create(
        provider="rfc2136",
        options={
            "server": "127.0.0.1",
            "zones": ["a.test"],
            "key_name": "k.",
            "key_secret": "c2VjcmV0LXNlY3JldA==",
        },
    )
    desk.dns_connections.delete(connection["id"], force=True)
    assert list(desk.dns_connections.iter_list()) == []


@pytest.mark.slow
def test_a_repeat_with_the_same_key_buys_once(desk: Certdesk) -> None:
    first = desk.orders.buy(**ORDER, idempotency_key="one and only")
    assert desk.orders.buy(**ORDER, idempotency_key="one and only") == first
    assert desk.orders.buy(**ORDER) != first


@pytest.mark.slow
def test_refusals_carry_code_sentence_and_request_id(desk: Certdesk) -> None:
    with pytest.raises(Refused) as refused:
        desk.certificates.show("scs0000000000000")
    assert (refused.value.status, refused.value.code) == (404, "SCM.0020")
    assert "There is no certificate" in refused.value.sentence
    assert refused.value.request_id
    assert refused.value.sentence in str(refused.value)


@pytest.mark.slow
def test_a_wrong_secret_is_refused(desk: Certdesk, key: dict[str, str]) -> None:
    """Charlie knows the access key but not its secret."""
    endpoint = desk.transport._endpoint
    with Certdesk(endpoint, key["access_key"], "x" * 40) as charlie, pytest.raises(Refused) as refused:
        charlie.certificates.list()
    assert refused.value.status == 401


def transport(url: str, waits: list[float], patience: float = 10) -> Transport:
    return Transport(url, "AK", "secret", patience=patience, sleep=waits.append)


def test_it_waits_as_long_as_the_server_says() -> None:
    waits: list[float] = []
    later = (429, {"Retry-After": "4"}, NO)
    with serving(later, later, (200, {}, b'{"a": 1}')) as server:
        made = transport(server.url, waits)
        assert made.call("POST", "/x", body={"b": None, "c": "d"}) == {"a": 1}
        made.close()
    assert waits == [4, 4]
    assert [json.loads(body) for *_, body in server.came] == [{"c": "d"}] * 3


def test_patience_ends() -> None:
    waits: list[float] = []
    with serving(*[(429, {"Retry-After": "4"}, NO)] * 3) as server:
        made = transport(server.url, waits)
        with pytest.raises(Refused) as refused:
            made.call("GET", "/x")
        made.close()
    assert (refused.value.status, refused.value.retry_after, waits) == (429, 4, [4, 4])


@pytest.mark.parametrize(
    ("method", "key", "times"), [("GET", "", 2), ("POST", "", 1), ("POST", "mine", 2), ("POST", True, 2)]
)
def test_503_is_asked_again_only_where_nothing_is_done_twice(
    method: str, key: str | bool, times: int
) -> None:
    with serving((503, {"Retry-After": "0"}, b"down"), (200, {}, b"{}")) as server:
        made = transport(server.url, [])
        if times == 1:
            with pytest.raises(Refused):
                made.call(method, "/x", idempotency_key=key)
        else:
            assert made.call(method, "/x", idempotency_key=key) == {}
        made.close()
    keys = {headers.get("Idempotency-Key") for _, _, headers, _ in server.came}
    assert (len(server.came), len(keys)) == (times, 1)
    assert (keys == {None}) is (key == "")


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"{}", b""])
def test_a_refusal_without_our_body_is_one_too(body: bytes) -> None:
    with serving((502, {"Retry-After": "soon"}, body)) as server:
        made = transport(server.url, [])
        with pytest.raises(Refused) as refused:
            made.call("GET", "/x")
        made.close()
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (502, "", None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            (301, {"Location": "https://x.test/"}, b"<html>"),
            r"not the API's \(HTTP 301, to https://x.test/\)",
        ),
        ((200, {}, b"<html>the hotel's own page"), r"not the API's \(HTTP 200\)"),
        ((202, {}, b"<html>"), r"not the API's \(HTTP 202\)"),
    ],
)
def test_an_answer_of_somebody_else_is_no_answer(
    answer: tuple[int, dict[str, str], bytes], said: str
) -> None:
    with serving(answer) as server:
        made = transport(server.url, [])
        with pytest.raises(Unreachable, match=said):
            made.call("GET", "/x")
        made.close()


def test_what_other_people_must_approve_is_not_done() -> None:
    held = (202, {"Content-Type": "application/json"}, b'{"approval_id": "a1"}')
    with serving(held, held, (202, {}, b'{"cert_id": "scs1"}')) as server:
        made = transport(server.url, [])
        for send in (made.call, made.download):
            with pytest.raises(Waiting) as waiting:
                send("GET", "/x")
            assert waiting.value.approval_id == "a1"
        assert made.call("POST", "/x") == {"cert_id": "scs1"}
        made.close()


def test_paths_queries_arrays_and_files() -> None:
    ok = (200, {}, b"{}")
    named = {"Content-Disposition": "attachment; filename*=UTF-8''a%20b.zip", "Content-Type": "x/y; z"}
    with serving(ok, ok, ok, (200, named, b"zip"), (200, {}, b"")) as server:
        made = transport(server.url, [])
        path = made.path("/a/{id}/b/{zone}", "x/y", "é")
        made.call("GET", path, query={"flag": True, "none": None, "text": "a b&c"})
        made.call("POST", "/array", array=[1])
        made.call("POST", "/file", file=("x.pdf", b"%PDF"))
        assert made.download("GET", "/zip") == Download("a b.zip", "x/y", b"zip")
        assert made.download("GET", "/zip").name == "download"
        assert "secret" not in repr(made)
        made.close()
    assert server.came[0][1] == "/a/x%2Fy/b/%C3%A9?flag=true&text=a%20b%26c"
    assert server.came[1][3] == b"[1]"
    assert b'name="document"; filename="x.pdf"' in server.came[2][3]
    assert server.came[2][2]["Content-Type"].startswith("multipart/form-data; boundary=")


def test_nobody_answers() -> None:
    made = transport(f"http://127.0.0.1:{free_port()}", [])
    with pytest.raises(Unreachable, match="Check the endpoint"):
        made.call("GET", "/x")
    made.close()


@pytest.mark.parametrize("endpoint", ["", "certdesk.example.com", "ftp://x", "http://x/api", "http://x:y"])
def test_an_endpoint_is_scheme_and_host(endpoint: str) -> None:
    with pytest.raises(ClientError, match="no endpoint"):
        Transport(endpoint, "a", "b")


def test_roots_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name in ("absent", "empty"):
        with pytest.raises(ClientError, match="Check the file"):
            Transport("https://x", "a", "b", verify=str(tmp_path / name))


def test_the_package_says_what_it_offers() -> None:
    assert set(certdesk.client.__all__) <= set(dir(certdesk.client))
    for name in ("chapters", "types"):
        ast.parse((ROOT / f"src/certdesk/client/generated/{name}.py").read_text(encoding="utf-8"))
