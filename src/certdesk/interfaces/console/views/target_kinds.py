"""The kinds of targets in words: what each is for, and what must be so before it can be connected."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.connectors.targets.registry import KINDS

LOOPBACK = "CERTDESK_ALLOW_NETWORKS=127.0.0.0/8,::1/128"


@dataclass(frozen=True, slots=True)
class Words:
    """`group`: see `_groups`; `hint` stands above the form, empty for none; `setup`: settings to paste."""

    group: str
    text: str
    hint: str = ""
    setup: str = ""


def _groups() -> dict[str, str]:
    return {
        "local": _("On this machine"),
        "remote": _("On other machines"),
        "cloud": _("Clouds, clusters and vaults"),
        "other": _("Anything else"),
    }


def words() -> dict[str, Words]:
    """By kind, in the order of the page; a kind without words stands under its own name."""
    folders = _(
        "Socket and files must lie in a folder that the operator has named in CERTDESK_TARGET_FOLDERS."
    )
    return {
        "haproxy": Words("local", _("A load balancer of your own, by its Runtime API."), folders),
        "nginx": Words(
            "local",
            _("nginx on this machine, or with ModSecurity as a firewall (WAF)."),
            _(
                "New certificates are written beside the old ones; nginx tests them and reloads without "
                "dropping a connection, and a look from outside decides. The operator starts this service "
                "with the settings below, as a user that may write in the certificates' folder. "
                "Service: WAF for nginx with ModSecurity, otherwise Other."
            ),
            f"CERTDESK_TARGET_FOLDERS=/etc/nginx,/etc/ssl/sites\n{LOOPBACK}",
        ),
        "apache": Words(
            "local",
            _("Apache HTTP Server on this machine."),
            _(
                "New certificates are written beside the old ones; Apache tests its configuration and "
                "reloads gracefully, and a look from outside decides. The operator starts this service with "
                "the settings below, as a user that may write in the certificates' folder. Service: Other."
            ),
            f"CERTDESK_TARGET_FOLDERS=/etc/apache2,/etc/ssl/sites\n{LOOPBACK}",
        ),
        **_with_files(),
        **_told(),
        "ssh": Words(
            "remote",
            _("A host that this service reaches by SSH; its key may run one helper there and nothing else."),
            _(
                "Set up the helper on the host first (see the manual). Leave the fingerprint empty: the "
                "first look then shows which key the host has, to compare and enter."
            ),
        ),
        **clouds(),
    }


def clouds() -> dict[str, Words]:
    return {
        "huawei-elb": Words(
            "cloud",
            _("A load balancer in Huawei Cloud, by an access key."),
            _(
                "Use the access key of a user for this alone, who may list and change ELB certificates "
                "and list listeners and load balancers. ELB updates a certificate that is on the load "
                "balancer already: configure one there first."
            ),
        ),
        "huawei-waf": Words(
            "cloud",
            _("A firewall in Huawei Cloud, default enterprise project."),
            _(
                "Use the access key of a user for this alone, who may list WAF domains and list, "
                "create and apply WAF certificates. The domain must be in WAF with HTTPS on, in the "
                "default enterprise project."
            ),
        ),
        "huawei-cdn": Words(
            "cloud",
            _("Acceleration domains in Huawei Cloud."),
            _(
                "Use the access key of a user for this alone, who may list CDN domains and change "
                "their HTTPS. Changes take minutes to reach all nodes: a deployment waits for ten."
            ),
        ),
        "aws-acm": Words(
            "cloud",
            _("Imported certificates of ACM, as load balancers and CloudFront use them."),
            _(
                "Use the access key of a user for this alone with acm:ListCertificates, "
                "acm:DescribeCertificate, acm:GetCertificate, acm:ImportCertificate, "
                "elasticloadbalancing:Describe* and cloudfront:GetDistribution. Only imported "
                "certificates are replaced, each under its ARN."
            ),
        ),
        "kubernetes": Words(
            "cloud",
            _("TLS Secrets of a cluster, as Ingresses use them."),
            _(
                "Make a service account for this alone, with a Role that may list, get, create and "
                "patch Secrets and list Ingresses in these namespaces: kubectl create token NAME "
                "--duration=8760h. The server's address must be public or in CERTDESK_ALLOW_NETWORKS."
            ),
        ),
        "vault": Words(
            "cloud",
            _("Certificates in a KV store, from where servers fetch them."),
            _(
                "Give the token or AppRole a policy for this folder alone: create, read, update on "
                "data/FOLDER/*, and create, list, update on metadata/FOLDER/*. The server's address must be "
                "public or in CERTDESK_ALLOW_NETWORKS."
            ),
        ),
    }


def _with_files() -> dict[str, Words]:
    files = _(
        "The files must lie in a folder that the operator has named in CERTDESK_TARGET_FOLDERS, a program in "
        "CERTDESK_TARGET_PROGRAMS. A certificate has to be there already: it is what a failed deployment "
        "goes back to."
    )
    return {
        "postgresql": Words("local", _("A database server: its certificate file, and a reload."), files),
        "postfix": Words("local", _("A mail server: its certificate file, and a reload."), files),
        "keystore": Words("local", _("A PKCS#12 or JKS file for Tomcat and other Java servers."), files),
        "envoy": Words("local", _("A proxy that watches a file with its secrets."), files),
        "pem": Words("local", _("Any server with PEM files, and a command that reloads it."), files),
    }


def _told() -> dict[str, Words]:
    caddy = _(
        "Certificates in apps.tls.certificates.load_pem, each with a tag of its own. The admin API must be "
        "reachable from here and allowed in CERTDESK_ALLOW_NETWORKS."
    )
    webhook = _(
        "It gets the event, install or test, with certificate and chain; with test it must change nothing. "
        "Any answer from 200 to 299 means that it is done; what is served then decides."
    )
    command = _(
        "The program must be named in CERTDESK_TARGET_PROGRAMS. It gets the event, install or test, in "
        "CERTDESK_EVENT; with test it must change nothing. Status 0 means that it is done; what is served "
        "then decides."
    )
    return {
        "caddy": Words("local", _("A proxy with an admin API: certificates that it holds as PEM."), caddy),
        "webhook": Words("other", _("A receiver of your own that is told over HTTPS, signed."), webhook),
        "command": Words(
            "other",
            _("A program of yours on this machine that puts the certificate where it belongs."),
            command,
        ),
    }


def hint(kind: str) -> str:
    found = words().get(kind)
    return found.hint if found else ""


def setup(kind: str) -> str:
    found = words().get(kind)
    return found.setup if found else ""


def grouped() -> list[dict[str, Any]]:
    """Title and kinds of each group that has one."""
    known = words()
    lines: dict[str, list[dict[str, str]]] = {name: [] for name in _groups()}
    for name in [*(one for one in known if one in KINDS), *(one for one in KINDS if one not in known)]:
        told = known.get(name, Words("other", ""))
        url = f"{reverse('target-add')}?{urlencode({'kind': name})}"
        lines[told.group].append({"title": _(KINDS[name].label), "text": told.text, "url": url})
    return [{"title": title, "kinds": lines[name]} for name, title in _groups().items() if lines[name]]
