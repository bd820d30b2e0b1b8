"""Runs inside the environment of acme2certifier, which imports nothing of ours.

    serve.py FOLDER PORT DNS_PORT [CERTIFICATE KEY]

Its WSGI application as it is shipped, behind the web server that comes with it. Names are asked for at the
resolver of loopback that the configuration names, at DNS_PORT, as it can only name addresses.
"""

import os
import sys
import threading
from wsgiref.simple_server import make_server  # noqa: F401  # the application wants it

FOLDER, PORT, DNS_PORT, *TLS = sys.argv[1:]
os.environ["ACME_SRV_CONFIGFILE"] = f"{FOLDER}/acme_srv.cfg"

import dns.resolver  # noqa: E402
from acme2certifier.share.acme2certifier_wsgi import application  # noqa: E402
from werkzeug.serving import WSGIRequestHandler  # noqa: E402
from werkzeug.serving import make_server as serve  # noqa: E402

threading.stack_size(512 * 1024)
_reset = dns.resolver.BaseResolver.reset


def reset(self):
    _reset(self)
    self.port = int(DNS_PORT)


dns.resolver.BaseResolver.reset = reset


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_, **__):
        pass


context = (TLS[0], TLS[1]) if TLS else None
serve(
    "127.0.0.1", int(PORT), application, threaded=True, request_handler=Quiet, ssl_context=context
).serve_forever()
