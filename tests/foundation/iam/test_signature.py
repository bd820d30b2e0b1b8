"""SDK-HMAC-SHA256: our signer against the official one, and everything that must not pass."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from huaweicloudsdkcore.auth.credentials import GlobalCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given, settings
from hypothesis import strategies as st

from certdesk.foundation.iam import signature
from certdesk.foundation.iam.errors import BadSignature
from certdesk.foundation.iam.signature import Message

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
KEY, SECRET = "TESTAK0001", "s" * 40
URL = "http://127.0.0.1:8080/v3/scm/certificates?limit=10&content=%E4%B8%AD%20a%2B"
BODY = b'{"a":1}'


def headers(**changed: str) -> dict[str, str]:
    made = signature.sign(
        "POST", URL, KEY, SECRET, now=NOW, body=BODY, headers={"Content-Type": "application/json"}
    )
    return {name.lower(): value for name, value in made.items()} | changed


def check(
    sent: dict[str, str],
    *,
    method: str = "POST",
    path: bytes = b"/v3/scm/certificates",
    query: str = URL.partition("?")[2],
    body: bytes = BODY,
    secret: str = SECRET,
    now: datetime = NOW,
) -> None:
    message = Message(method, path, query, sent.get, body)
    signature.verify(message, signature.read(sent.get("authorization", "")), secret.encode(), now)


def test_a_good_signature_passes() -> None:
    check(headers())


segments = st.text(
    st.characters(codec="utf-8", exclude_characters="/?#%", exclude_categories=["C"]), min_size=1, max_size=8
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    path=st.lists(segments, min_size=1, max_size=4),
    query=st.lists(st.tuples(texts, texts), max_size=4),
    body=st.binary(max_size=20),
)
def test_the_official_signer_and_ours_agree(
    path: list[str], query: list[tuple[str, str]], body: bytes
) -> None:
    request = SdkRequest(
        method="POST",
        schema="http",
        host="127.0.0.1:8080",
        resource_path="/" + "/".join(path),
        query_params=query,
        header_params={
            "Content-Type": "application/json",
            "User-Agent": "test",
            "X-Sdk-Date": "20261123T120000Z",
        },
        body=body,
    )
    Signer(GlobalCredentials(KEY, SECRET)).sign(request)
    sent = {name.lower(): value for name, value in request.header_params.items()}
    uri_path, _, uri_query = request.uri.partition("?")
    check(sent, path=uri_path.encode(), query=uri_query, body=body or b"")


@pytest.mark.parametrize("stated", [signature.UNSIGNED, signature.EMPTY_HASH])
def test_without_a_body_a_stated_hash_may_say_so_either_way(stated: str) -> None:
    """The official signer puts the header's value into the canonical request as it stands."""
    sent = {"host": "h", "x-sdk-content-sha256": stated, "x-sdk-date": "20261123T120000Z"}
    names = tuple(sorted(sent))
    lines = "".join(f"{name}:{sent[name]}\n" for name in names)
    canonical = "\n".join(("GET", "/a/", "", lines, ";".join(names), stated))
    mac = signature.mac(SECRET.encode(), sent["x-sdk-date"], canonical)
    signed = f"SDK-HMAC-SHA256 Access={KEY}, SignedHeaders={';'.join(names)}, Signature={mac}"
    sent["authorization"] = signed
    check(sent, method="GET", path=b"/a", query="", body=b"")
    with pytest.raises(BadSignature):
        check(sent, method="GET", path=b"/a", query="", body=b"{}")


@pytest.mark.parametrize(("seconds", "passes"), [(900, True), (-900, True), (901, False), (-901, False)])
def test_the_clock_window_is_15_minutes(seconds: int, passes: bool) -> None:
    late = NOW + timedelta(seconds=seconds)
    if passes:
        check(headers(), now=late)
        return
    with pytest.raises(BadSignature, match="15 minutes"):
        check(headers(), now=late)


def swap(text: str, new: str) -> str:
    assert text in AUTHORIZATION
    return AUTHORIZATION.replace(text, new)


AUTHORIZATION = headers()["authorization"]
MAC = AUTHORIZATION[-64:]
Case = Callable[[], None]
MUTATIONS: dict[str, Case] = {
    "method": lambda: check(headers(), method="PUT"),
    "path": lambda: check(headers(), path=b"/v3/scm/certificate"),
    "path encoded twice": lambda: check(headers(), path=b"/v3/scm%2Fcertificates"),
    "path case": lambda: check(headers(), path=b"/V3/scm/certificates"),
    "query value": lambda: check(headers(), query="limit=50&content=%E4%B8%AD%20a%2B"),
    "query key added": lambda: check(headers(), query=URL.partition("?")[2] + "&offset=0"),
    "query key doubled": lambda: check(headers(), query=URL.partition("?")[2] + "&limit=10"),
    "query gone": lambda: check(headers(), query=""),
    "body": lambda: check(headers(), body=b'{"a":2}'),
    "body gone": lambda: check(headers(), body=b""),
    "body longer": lambda: check(headers(), body=BODY + b" "),
    "host": lambda: check(headers(host="127.0.0.1:8081")),
    "host without port": lambda: check(headers(host="127.0.0.1")),
    "host case": lambda: check(headers(host="LOCALHOST:8080")),
    "date": lambda: check(headers(**{"x-sdk-date": "20261123T120001Z"})),
    "date malformed": lambda: check(headers(**{"x-sdk-date": "2026-11-23T12:00:00Z"})),
    "date impossible": lambda: check(headers(**{"x-sdk-date": "20261323T120000Z"})),
    "date Unicode digits": lambda: check(headers(**{"x-sdk-date": "２０２６1123T120000Z"})),
    "date gone": lambda: check({k: v for k, v in headers().items() if k != "x-sdk-date"}),
    "content type": lambda: check(headers(**{"content-type": "text/plain"})),
    "signed header gone": lambda: check({k: v for k, v in headers().items() if k != "content-type"}),
    "secret": lambda: check(headers(), secret="t" * 40),
    "secret empty": lambda: check(headers(), secret=""),
    "secret shorter": lambda: check(headers(), secret="s" * 39),
    "MAC first digit": lambda: check(headers(authorization=swap(MAC, f"{'10'[MAC[0] == '1']}{MAC[1:]}"))),
    "MAC cut": lambda: check(headers(authorization=AUTHORIZATION[:-1])),
    "MAC empty": lambda: check(headers(authorization=AUTHORIZATION[:-64])),
    "MAC upper case": lambda: check(headers(authorization=swap(MAC, MAC.upper()))),
    "MAC longer": lambda: check(headers(authorization=AUTHORIZATION + "0")),
    "MAC twice": lambda: check(headers(authorization=f"{AUTHORIZATION}, Signature={MAC}")),
    "no header": lambda: check(headers(authorization="")),
    "algorithm": lambda: check(headers(authorization=swap("SDK-HMAC-SHA256", "SDK-HMAC-SM3"))),
    "algorithm none": lambda: check(headers(authorization=swap("SDK-HMAC-SHA256", "none"))),
    "bearer": lambda: check(headers(authorization="Bearer abc")),
    "access key empty": lambda: check(headers(authorization=swap(f"Access={KEY}", "Access="))),
    "access key with SQL": lambda: check(headers(authorization=swap(KEY, "x' OR '1'='1"))),
    "host not signed": lambda: check(headers(authorization=swap("content-type;host;", "content-type;"))),
    "date not signed": lambda: check(headers(authorization=swap(";x-sdk-date", ""))),
    "signed unsorted": lambda: check(headers(authorization=swap("content-type;host", "host;content-type"))),
    "signed header twice": lambda: check(headers(authorization=swap("host;", "host;host;"))),
    "signed headers in capitals": lambda: check(headers(authorization=swap("host", "Host"))),
    "signed header added": lambda: check(headers(authorization=swap("host;", "host;x-a;"), **{"x-a": "x"})),
    "payload unsigned on JSON": lambda: check(headers(**{"x-sdk-content-sha256": "UNSIGNED-PAYLOAD"})),
    "payload hash of another body": lambda: check(headers(**{"x-sdk-content-sha256": "0" * 64})),
    "payload hash nonsense": lambda: check(headers(**{"x-sdk-content-sha256": "no"})),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_changed_request_is_refused(name: str) -> None:
    with pytest.raises(BadSignature) as refused:
        MUTATIONS[name]()
    assert refused.value.code == "APIGW.0301"
    assert str(refused.value).startswith("Incorrect IAM authentication information: ")


def test_a_file_upload_may_leave_its_body_unsigned() -> None:
    made = signature.sign(
        "POST",
        URL,
        KEY,
        SECRET,
        now=NOW,
        body=BODY,
        headers={
            "Content-Type": "multipart/form-data; boundary=x",
            "X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD",
        },
    )
    check({name.lower(): value for name, value in made.items()}, body=b"another body")


def test_a_stated_hash_that_is_right_passes() -> None:
    import hashlib

    stated = hashlib.sha256(BODY).hexdigest()
    made = signature.sign(
        "POST", URL, KEY, SECRET, now=NOW, body=BODY, headers={"X-Sdk-Content-Sha256": stated}
    )
    check({name.lower(): value for name, value in made.items()})
