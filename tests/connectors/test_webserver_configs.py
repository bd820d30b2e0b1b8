"""What nginx and Apache say of their configuration, read: names, listeners, certificate files."""

import pytest

from certdesk.connectors.targets.apache import config as apache
from certdesk.connectors.targets.nginx import config as nginx
from certdesk.connectors.targets.webserver.places import (
    Pair,
    PlaceOfPair,
    Site,
    places,
    reached_at,
    shared_keys,
    without_https,
)
from tests.support import tls

NGINX = r"""nginx: the configuration file /etc/nginx/nginx.conf syntax is ok
# configuration file /etc/nginx/nginx.conf:
user www-data; pid /run/nginx.pid;
http {
    include mime.types; # a comment with { and ;
    ssl_certificate     "tls/above.crt";
    ssl_certificate_key 'tls/above.key';
    include /etc/nginx/sites/*.conf;
    include nowhere/*.conf;
    map $host $x { default "a;b{"; ~^(?<n>\w+)\.x$ $n; }
    content_by_lua_block { if a then b = "}" .. '{' end }
    server {
        server_name plain.example.com;
    }
}
stream {
    server {
        listen 127.0.0.1:8443 ssl;
        ssl_certificate /etc/nginx/tls/stream.pem;
        ssl_certificate_key /etc/nginx/tls/stream.pem;
    }
}
# configuration file /etc/nginx/mime.types:
types { text/html html; }
# configuration file /etc/nginx/sites/a.conf:
server {
    listen 443 ssl http2 default_server;
    listen [::]:443 ssl;
    listen 443 quic;
    listen unix:/run/a.sock ssl;
    listen 80;
    server_name www.Example.com .example.org _ ~^x "" $host www.* localhost;
    ssl_certificate tls/rsa.crt; ssl_certificate_key tls/rsa.key;
    ssl_certificate tls/ec.crt;
    ssl_certificate_key tls/ec.key;
    location / { return 200 "${host}x"; }
}
# configuration file /etc/nginx/sites/b.conf:
server { listen 80; server_name www.example.com bare.example.com; }
server { listen localhost ssl; listen 8080; ssl on; server_name b.example.com; }
server {
    listen 8443 ssl proxy_protocol;
    server_name c.example.com;
    ssl_certificate data:$pem;
    ssl_certificate_key engine:x:y;
    ssl_certificate $ssl_server_name.crt;
    ssl_certificate_key $ssl_server_name.key;
}
"""


def test_nginx_sites_with_includes_and_inheritance() -> None:
    found = nginx.sites(NGINX)
    a, b80, b, c, plain, stream = found
    assert a.names == ("www.example.com", "example.org", "*.example.org")
    assert a.listeners == ("127.0.0.1:443", "[::1]:443")
    assert a.pairs == (
        Pair("/etc/nginx/tls/rsa.crt", "/etc/nginx/tls/rsa.key"),
        Pair("/etc/nginx/tls/ec.crt", "/etc/nginx/tls/ec.key"),
    )
    assert (b80.pairs, b80.listeners) == ((), ())
    assert b.pairs == (Pair("/etc/nginx/tls/above.crt", "/etc/nginx/tls/above.key"),)
    assert b.listeners == ("localhost:80", "127.0.0.1:8080")
    assert (c.listeners, c.pairs) == ((), b.pairs)
    assert plain.pairs == ()
    assert stream.listeners == ("127.0.0.1:8443",)
    assert stream.pairs[0].paths == ("/etc/nginx/tls/stream.pem",)
    assert without_https(found) == ("bare.example.com", "plain.example.com")
    assert nginx.pid_file(NGINX) == "/run/nginx.pid"


def test_nginx_says_nothing_or_breaks_off() -> None:
    assert nginx.sites("") == ()
    assert nginx.tree({}) == ()
    assert nginx.pid_file("# configuration file /a/b:\npid logs/nginx.pid;") == ""
    assert nginx.pid_file("# configuration file /a/b:\nuser x;") == ""
    assert [one.name for one in nginx.parse("a { b { c d;")] == ["a"]
    assert nginx.parse("; } { a b;")[0].arguments == ("b",)
    assert nginx.parse("x_by_lua_block { { } ") == (nginx.Directive("x_by_lua_block", ()),)


def test_nginx_files_that_include_each_other_end() -> None:
    files = {"/n/a": "include b; x 1;", "/n/b": "include a;"}
    assert {one.name for one in nginx.tree(files)} <= {"x", "include"}


APACHE = """VirtualHost configuration:
*:443                  is a NameVirtualHost
         default server www.example.com (/etc/apache2/sites/a.conf:2)
         port 443 namevhost www.example.com (/etc/apache2/sites/a.conf:2)
                 alias Example.com
                 wild alias *.example.com
                 wild alias www?.example.*
         port 443 namevhost off.example.com (/etc/apache2/sites/b.conf:1)
[::]:8443              six.example.com (/etc/apache2/sites/b.conf:5)
*:80                   plain.example.com (/etc/apache2/sites/b.conf:12)
*:*                    any.example.com (/etc/apache2/sites/c.conf:1)
ServerRoot: "/etc/apache2"
PidFile: "/run/apache2.pid"
Define: DUMP_VHOSTS
Define: TLS=/srv/tls
"""
FILES = {
    "/etc/apache2/sites/a.conf": """# first
<VirtualHost *:443>
  ServerName www.example.com
  SSLEngine on
  SSLCertificateFile \\
     "tls/a.crt"
  SSLCertificateKeyFile ${TLS}/a.key
  SSLCertificateChainFile tls/chain.pem
  Header set X "it's
</VirtualHost>
SSLCertificateFile /not/of/this/section
""",
    "/etc/apache2/sites/b.conf": """<VirtualHost *:443>
  SSLEngine Off
  SSLCertificateFile tls/off.crt
</VirtualHost>
<VirtualHost [::]:8443>
  SSLCertificateFile tls/six.pem
  SSLCertificateFile tls/seven.pem
  SSLCertificateKeyFile tls/six.key
  SSLCertificateFile ${UNKNOWN}/x.pem
  Lonely
</virtualhost>
<VirtualHost *:80>
</VirtualHost>
""",
    "/etc/apache2/sites/c.conf": "<VirtualHost *:*>\nSSLCertificateFile tls/any.pem",
}


def test_apache_sites() -> None:
    a, off, six, plain, anywhere = apache.sites(apache.read(APACHE), FILES.__getitem__)
    assert a.names == ("www.example.com", "example.com", "*.example.com")
    assert a.listeners == ("127.0.0.1:443",)
    assert a.pairs == (Pair("/etc/apache2/tls/a.crt", "/srv/tls/a.key", "/etc/apache2/tls/chain.pem"),)
    assert off.pairs == plain.pairs == ()
    assert six.listeners == ("[::1]:8443",)
    assert six.pairs == (
        Pair("/etc/apache2/tls/six.pem", "/etc/apache2/tls/six.key"),
        Pair("/etc/apache2/tls/seven.pem", "/etc/apache2/tls/seven.pem"),
    )
    assert (anywhere.listeners, len(anywhere.pairs)) == ((), 1)
    assert apache.read(APACHE).pid_file == "/run/apache2.pid"
    assert apache.read("                 alias nobody.example.com") == apache.Dump((), "/", "", {})


def test_what_each_file_holds() -> None:
    bundle = tls.make("a.example.com").bundle
    leaf, chain, key = bundle.leaf, bundle.chain, bundle.key
    assert Pair("/c", "/k").contents(bundle) == (key, leaf + chain)
    assert Pair("/one", "/one").contents(bundle) == (leaf + chain + key,)
    assert Pair("/c", "/k", "/chain").contents(bundle) == (key, leaf, chain)
    assert Pair("/c", "/k", "/chain").paths == ("/k", "/c", "/chain")


def test_places_gather_what_uses_a_pair() -> None:
    first, second = Pair("/1.crt", "/1.key"), Pair("/2.crt", "/1.key")
    sites = (
        Site(("a.example.com",), ("127.0.0.1:443",), (first,)),
        Site(("b.example.com", "a.example.com"), ("127.0.0.1:8443",), (first, second)),
    )
    both = ("127.0.0.1:443", "127.0.0.1:8443")
    one, other = places(sites)
    assert one == PlaceOfPair(first, ("a.example.com", "b.example.com"), both)
    assert other.listeners == ("127.0.0.1:8443",)
    assert shared_keys((one, other)) == {"/1.key"}
    assert shared_keys((one,)) == frozenset()


@pytest.mark.parametrize(
    ("wanted", "first", "second"),
    [
        (("10.0.0.5:443",), ("10.0.0.5:443",), ()),
        (("10.0.0.5:9443",), ("10.0.0.5:9443",), ("10.0.0.5:9443",)),
        (("10.0.0.5:8443", "10.0.0.6:443"), ("10.0.0.6:443",), ("10.0.0.5:8443",)),
    ],
)
def test_wanted_listeners_stand_for_those_of_the_configuration(
    wanted: tuple[str, ...], first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    sites = (
        Site(("a.example.com",), ("127.0.0.1:443",), (Pair("/1.crt", "/1.key"),)),
        Site(("b.example.com",), ("127.0.0.1:8443",), (Pair("/2.crt", "/2.key"),)),
    )
    assert [one.listeners for one in places(sites, wanted)] == [first, second]


def test_where_a_client_on_this_machine_meets_it() -> None:
    for host in ("", "*", "0.0.0.0", "_default_"):
        assert reached_at(host, "443") == "127.0.0.1:443"
    assert reached_at("[::]", "443") == "[::1]:443"
    assert reached_at("2001:db8::1", "443") == "[2001:db8::1]:443"
    assert reached_at("10.0.0.5", "443") == "10.0.0.5:443"
