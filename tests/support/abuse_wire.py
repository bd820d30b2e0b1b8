"""The abuse corpus below HTTP's libraries: requests as bytes, by name. `PORT` and `HOST` are filled in."""

import gzip
from collections.abc import Mapping

CRLF = "\r\n"


def _get(target: str, *lines: str, version: str = "HTTP/1.1", method: str = "GET") -> bytes:
    return CRLF.join([f"{method} {target} {version}", "Host: @HOST@", *lines, "", ""]).encode("latin-1")


def _post(target: str, body: bytes, *lines: str, length: bool = True) -> bytes:
    head = [f"POST {target} HTTP/1.1", "Host: @HOST@", "Content-Type: application/json", *lines]
    if length:
        head.append(f"Content-Length: {len(body)}")
    return CRLF.join([*head, "", ""]).encode("latin-1") + body


API, PAGE, OPEN = "/v3/scm/certificates", "/login", "/healthz"
BOMB = gzip.compress(b"0" * 20_000_000)

WIRE: Mapping[str, bytes] = {
    # targets
    "dots": _get("/../../etc/passwd"),
    "dots encoded": _get("/%2e%2e/%2e%2e/etc/passwd"),
    "dots encoded twice": _get("/%252e%252e/etc/passwd"),
    "dots under static": _get("/static/../../../etc/passwd"),
    "dots under static, encoded": _get("/static/%2e%2e/%2e%2e/certdesk.sqlite3"),
    "backslashes under static": _get("/static/..\\..\\certdesk.sqlite3"),
    "an absolute path under static": _get("/static//etc/passwd"),
    "NUL in the path": _get("/healthz%00"),
    "NUL under static": _get("/static/x%00.css"),
    "no UTF-8 in the path": _get("/v3/scm/certificates/%ff%fe"),
    "no UTF-8 in a page": _get("/certificates/%ff%fe"),
    "overlong UTF-8": _get("/%c0%ae%c0%ae/"),
    "a broken escape": _get("/v3/scm/certificates/%zz"),
    "a lone per cent": _get("/%"),
    "two slashes": _get("//evil.example/%2f.."),
    "slash and backslash": _get("/\\evil.example"),
    "an absolute target": _get("http://evil.example/login"),
    "an asterisk": _get("*", method="OPTIONS"),
    "authority form": _get("evil.example:443", method="CONNECT"),
    "a target of 8,000": _get("/" + "a" * 8000),
    "a target of 100,000": _get("/" + "a" * 100_000),
    "a query of 60,000": _get(f"{API}?content=" + "a" * 60_000),
    "10,000 query keys": _get(f"{API}?" + "&".join(f"a{n}=1" for n in range(10_000))),
    "10,000 query keys of a page": _get(f"{PAGE}?" + "&".join(f"a{n}=1" for n in range(10_000))),
    "a query without UTF-8": _get(f"{API}?content=%ff"),
    "a semicolon in the path": _get("/login;jsessionid=1"),
    "a fragment": _get("/login#x"),
    "a space in the target": _get("/lo gin"),
    "control characters in the target": _get("/a\x01b\x7f"),
    # methods and versions
    "TRACE": _get(OPEN, method="TRACE"),
    "TRACK": _get(OPEN, method="TRACK"),
    "a made-up method": _get(OPEN, method="FROB"),
    "a small method": _get(OPEN, method="get"),
    "a method of 5,000": _get(OPEN, method="A" * 5000),
    "a method with NUL": _get(OPEN, method="GE\x00T"),
    "HTTP/1.0": _get(OPEN, version="HTTP/1.0"),
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/9.9": _get(OPEN, version="HTTP/9.9"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "zeros": b"\x00" * 4096 + b"\r\n\r\n",
    # Host
    "no Host": b"GET /login HTTP/1.1\r\n\r\n",
    "two Hosts": _get(PAGE, "Host: evil.example"),
    "a foreign Host": b"GET /login HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "an empty Host": b"GET /login HTTP/1.1\r\nHost:\r\n\r\n",
    "a Host with a path": b"GET /login HTTP/1.1\r\nHost: evil.example/x?y\r\n\r\n",
    "a Host with user info": b"GET /login HTTP/1.1\r\nHost: a@evil.example\r\n\r\n",
    "a Host with a script": b"GET /login HTTP/1.1\r\nHost: <script>x</script>\r\n\r\n",
    "a Host of 5,000": b"GET /login HTTP/1.1\r\nHost: " + b"a" * 5000 + b"\r\n\r\n",
    "X-Forwarded-Host": _get(PAGE, "X-Forwarded-Host: evil.example"),
    "Forwarded": _get(PAGE, "Forwarded: host=evil.example;for=127.0.0.1;proto=https"),
    "X-Forwarded-For": _get(PAGE, "X-Forwarded-For: 127.0.0.1, ::1, x'--"),
    "X-Forwarded-Proto": _get(PAGE, "X-Forwarded-Proto: https"),
    "X-Original-URL": _get(OPEN, "X-Original-URL: /accounts", "X-Rewrite-URL: /accounts"),
    # headers
    "a header of 20,000": _get(OPEN, "X-Long: " + "a" * 20_000),
    "a header of 200,000": _get(OPEN, "X-Long: " + "a" * 200_000),
    "1,000 headers": _get(OPEN, *(f"X-{n}: a" for n in range(1000))),
    "a header without a colon": _get(OPEN, "Nonsense"),
    "a header with a space before its colon": _get(OPEN, "X-A : b"),
    "a folded header": _get(OPEN, "X-A: b", "  c"),
    "a header with NUL": _get(OPEN, "X-A: b\x00c"),
    "a bare line feed": b"GET /healthz HTTP/1.1\nHost: @HOST@\nX-A: b\n\n",
    "a bare carriage return": _get(OPEN, "X-A: b\rX-B: c"),
    "a cookie of 8,000": _get(PAGE, "Cookie: sessionid=" + "a" * 8000),
    "cookies of nonsense": _get(PAGE, "Cookie: ;;;=;sessionid=;sessionid=x\x01;a"),
    "a language of nonsense": _get(PAGE, "Accept-Language: ../../x, zh;q=NaN, *;q=9" + ",a" * 2000),
    "a method override": _get(f"{API}/x", "X-HTTP-Method-Override: DELETE"),
    "a method override in the form": _post(PAGE, b"_method=DELETE"),
    "an Authorization of 20,000": _get(API, "Authorization: " + "a" * 20_000),
    "a token of 20,000": _get(API, "X-Auth-Token: " + "a" * 20_000),
    "a token of nonsense": _get(API, "X-Auth-Token: \xff\xfe'--"),
    "a Range": _get("/static/console/console.css", "Range: bytes=0-0,1-1,2-2" + ",3-3" * 500),
    "a Range backwards": _get("/static/console/console.css", "Range: bytes=9-1"),
    "a Range of nonsense": _get(OPEN, "Range: x"),
    "Expect": _post(API, b"{}", "Expect: 100-continue"),
    "Expect of nonsense": _post(API, b"{}", "Expect: 200-maybe"),
    "an Upgrade": _get(OPEN, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"),
    "an Upgrade to h2c": _get(
        OPEN, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: A"
    ),
    "If-None-Match of 5,000": _get(PAGE, "If-None-Match: " + '"a",' * 1200),
    "If-Modified-Since of nonsense": _get("/static/console/console.css", "If-Modified-Since: 99 Foo 9999"),
    "hop by hop": _get(API, "Connection: close, X-Sdk-Date, Authorization"),
    # bodies
    "two lengths": _post(API, b"{}", "Content-Length: 5"),
    "two equal lengths": _post(API, b"{}", "Content-Length: 2"),
    "a negative length": _post(API, b"{}", "Content-Length: -1", length=False),
    "a length with a plus": _post(API, b"{}", "Content-Length: +2", length=False),
    "a length of nonsense": _post(API, b"{}", "Content-Length: 0x2", length=False),
    "a length of 10^30": _post(API, b"{}", "Content-Length: 1" + "0" * 30, length=False),
    "length and chunks": _post(API, b"0\r\n\r\nGET /accounts HTTP/1.1\r\nX: ", "Transfer-Encoding: chunked"),
    "chunks": _post(API, b"2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked", length=False),
    "chunks to a page": _post(PAGE, b"3\r\na=b\r\n0\r\n\r\n", "Transfer-Encoding: chunked", length=False),
    "chunks of nonsense": _post(API, b"zz\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked", length=False),
    "a chunk of 2^64": _post(API, b"10000000000000000\r\n{}\r\n", "Transfer-Encoding: chunked", length=False),
    "a chunk with an extension": _post(
        API, b"2;" + b"a" * 9000 + b"\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked", length=False
    ),
    "chunks twice": _post(API, b"0\r\n\r\n", "Transfer-Encoding: chunked, chunked", length=False),
    "chunks with a trick": _post(API, b"0\r\n\r\n", "Transfer-Encoding: xchunked", length=False),
    "chunks with a tab": _post(API, b"0\r\n\r\n", "Transfer-Encoding:\tchunked", length=False),
    "chunks spelled apart": _post(API, b"0\r\n\r\n", "Transfer_Encoding: chunked", length=False),
    "gzip said, none sent": _post(API, b"{}", "Content-Encoding: gzip"),
    "a gzip bomb": _post(API, BOMB, "Content-Encoding: gzip"),
    "a gzip bomb to a page": _post(PAGE, BOMB, "Content-Encoding: gzip"),
    "a body with GET": _get(API, "Content-Length: 2") + b"{}",
    "a body of 2 MB without a signature": _post(API, b"a" * 2_000_000),
    "a body of 20 MB without a signature": _post(f"{API}/batch-issue", b"a" * 20_000_000),
    "a body of 3 MB to a page": _post(PAGE, b"a=" + b"a" * 3_000_000),
    "5,000 form fields": _post(PAGE, b"&".join(b"a%d=1" % n for n in range(5000))),
    "a form of another kind": _post(PAGE, b"<a/>", "Content-Type: text/xml"),
    "a form without a boundary": _post(PAGE, b"--x", "Content-Type: multipart/form-data"),
    "a form with an endless boundary": _post(
        PAGE, b"--x", "Content-Type: multipart/form-data; boundary=" + "x" * 5000
    ),
    "a form of an unknown charset": _post(
        PAGE, b"login=a", "Content-Type: application/x-www-form-urlencoded; charset=nonsense"
    ),
    "a form of UTF-7": _post(PAGE, b"login=+ADw-", "Content-Type: text/plain; charset=utf-7"),
    # sign-in and redirects
    "next to elsewhere": _get("/login?next=https://evil.example/"),
    "next without a scheme": _get("/login?next=//evil.example/"),
    "next with a backslash": _get("/login?next=/%5Cevil.example/"),
    "next with a script": _get("/login?next=javascript:alert(1)"),
    "next with a line end": _get("/login?next=/a%0d%0aSet-Cookie:%20evil=1"),
    "a page with a line end": _get("/certificates%0d%0aSet-Cookie:%20evil=1"),
    "a language without a token": _post("/language", b"language=en&next=//evil.example"),
    "a sign-in without a token": _post("/login", b"login=admin&password=x"),
    "a sign-out by GET": _get("/logout"),
    "a fragment of nobody": _get(
        "/certificates", "HX-Request: true", "HX-Current-URL: http://evil.example/x"
    ),
    # what needs no sign-in
    "a confirmation of nonsense": _get("/confirm/" + "a" * 5000),
    "a confirmation of another kind": _get("/confirm/organization-%00"),
    "a sign-in link of nonsense": _get("/login/link/" + "%27" * 500),
    "OCSP of nonsense": _get("/ocsp/%2F%2F%2F" + "A" * 3000),
    "OCSP in pieces": _post("/ocsp", b"\x30\x82" + b"\xff" * 3000, "Content-Type: application/ocsp-request"),
    "a CRL of nonsense": _get("/crl/..%2f..%2fx.crl"),
    "a CA certificate of nonsense": _get("/ca/%00.cer"),
    "ACME of nonsense": _post("/acme/directory", b"{}", "Content-Type: application/jose+json"),
    "metrics of everybody": _get("/metrics?name[]=x"),
    "the database": _get("/certdesk.sqlite3"),
    "git": _get("/.git/config"),
    "the environment": _get("/.env"),
    "an admin page": _get("/admin/"),
    "a debug page": _get("/__debug__/"),
}
NOT_FOUND_IN = (b"Traceback (most recent", b"root:x:0:0", b"SQLite format 3", b"DJANGO_SETTINGS")
"""What no answer to any of them may hold."""
INCOMPLETE = {
    "two lengths",
    "a length of 10^30",
    "a length with a plus",
    "a chunk of 2^64",
    "HTTP/0.9",
    "a TLS hello",
    "SSH",
    "zeros",
    "authority form",
    "the preface of HTTP/2",
}
"""What a server may go on waiting for: the rest never comes."""
