"""Sentences of lower rooms that hold names and figures, for translation: those rooms know no language.

A shape is the sentence with its changing parts named; what matches a shape whole is put into the reader's
language, part by part. A test makes the sentences with the rooms' own code and finds each of them here.
"""

import re

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

SHAPES = (
    # what a look at the DNS saw (connectors/dns/proof.py)
    _("The %(type)s record at %(owner)s has the expected value (seen at %(servers)s)."),
    _("%(some)s of %(all)s servers have the expected %(type)s record at %(owner)s."),
    _("The %(type)s record at %(owner)s has %(values)s, not the expected value."),
    _("The name %(owner)s has no %(type)s record (asked %(servers)s)."),
    _("The name %(owner)s does not exist: NXDOMAIN from %(servers)s."),
    _("The question for %(owner)s failed: SERVFAIL from %(servers)s."),
    _("The question for %(owner)s was refused: REFUSED from %(servers)s."),
    _("The question for %(owner)s got no answer in time from %(servers)s."),
    _("The name %(owner)s leads nowhere: %(detail)s."),
    # the likely cause (connectors/dns/causes.py)
    _("Server %(servers)s does not have it yet: wait until the change has reached every server%(wait)s."),
    _("Servers %(servers)s do not have it yet: wait until the change has reached every server%(wait)s."),
    _(" (resolvers may keep what they have for up to %(seconds)s s, the TTL)"),
    _(" (the resolver keeps what it has for %(seconds)s s more)"),
    _("The name servers of the domain have private addresses: the operator has not allowed them."),
    _(
        "The servers to which %(domain)s is delegated do not serve it: a wrong DNS platform was selected, "
        "or the domain's NS records at the registrar are old."
    ),
    _("The name servers of %(domain)s are broken: ask the DNS provider, then try again."),
    _("The name servers of %(domain)s cannot be reached at present: try again later."),
    _(
        "A foreign CNAME stands at %(owner)s, pointing to %(target)s: an old record or another service's; "
        "replace its value%(wait)s."
    ),
    _("The record is set wrongly: %(what)s."),
    _("quotation marks stand inside the value; remove them"),
    _("spaces or line breaks stand in the value; remove them"),
    _("capital and small letters differ from the value shown"),
    _("a dot was added at the value's end; remove it"),
    _("more text than the value stands in the record; leave only the value"),
    _("the value was cut; copy the whole of it"),
    _(
        "A foreign CNAME stands at %(owner)s: the name is an alias of %(target)s, whose values count; "
        "set the value there or remove the CNAME."
    ),
    _(
        "A foreign CNAME stands at %(owner)s: the name is an alias of %(target)s, which has no %(type)s "
        "record; set the value there or remove the CNAME."
    ),
    _(
        "The record of an earlier application is probably left: delete it, "
        "so that the new value counts%(wait)s."
    ),
    _("The record holds another value: check it against the one shown%(wait)s."),
    _("The CNAME records are set wrongly: %(detail)s; remove the one at %(owner)s."),
    _("The domain %(domain)s is not registered, or not delegated by its parent."),
    _("The record has the wrong type: a %(other)s record with the value was set; it must be %(type)s."),
    _(
        "The record stands at %(place)s: the platform adds the zone %(zone)s by itself; "
        "enter %(host)s as host record."
    ),
    _("The record stands at %(place)s; it must stand at %(owner)s."),
    _(
        "The name servers of %(zone)s do not have the record: it was set on another DNS platform, "
        "or not saved, or only just now%(wait)s."
    ),
    # passwords (Django's validators, asked where no language is known)
    _("This password is too short. It must contain at least %(count)s characters."),
    _("This password is too common."),
    _("Choose another password."),
    # what automatic DNS did or met (validation/automatic_jobs.py, connectors/dns/visible.py)
    _("%(name)s (%(owner)s leads there by CNAME) is in the zone %(zone)s of %(label)s."),
    _("%(name)s is in the zone %(zone)s of %(label)s."),
    _("The %(type)s value at %(name)s was added (TTL 300)."),
    _("The %(type)s value at %(name)s stood there already (TTL 300)."),
    _("The %(type)s value at %(name)s was removed again."),
    _("The %(type)s value at %(name)s is visible at all %(count)s servers.%(wait)s"),
    _("The %(type)s value at %(name)s is visible at the server %(server)s.%(wait)s"),
    _("The %(type)s value at %(name)s: %(what)s.%(wait)s"),
    _(" Resolvers may keep the old state for up to %(seconds)s s."),
    _("No connected zone holds %(name)s."),
    _("No connected zone holds %(name)s. %(more)s"),
    _("Connect the zone, or point the name by CNAME into one that is connected."),
    _("Connect the zone, or point the name by CNAME into one that is connected. %(more)s"),
    _("Set the record yourself meanwhile: it counts just as well."),
    _("The account has no DNS connection any more."),
    _("Check the key of this connection."),
    _("Check that the server runs and can be reached from here."),
    # the pre-flight (validation/preflight.py)
    _("Check the spelling; register it."),
    _("A CNAME stands at %(owner)s already, pointing to %(target)s."),
    _("Delete it, or replace its value later."),
    _("A CNAME stands at %(owner)s: the TXT record must be set at %(target)s."),
    _("Set it there, or remove the CNAME."),
    _(
        "%(zone)s is served by %(servers)s, not by the name servers of %(label)s (%(own)s): "
        "records set there are seen by nobody."
    ),
    _("Set the record where the domain is delegated to, or change its NS records at the registrar."),
    _("The account has no DNS connection."),
    _("Connect the DNS provider, or set the records yourself."),
    _("The CAA record %(record)s at %(owner)s does not permit the issuer: %(why)s."),
    _('Add a CAA record: 0 issue "%(issuer)s".'),
    _("DV certificates cannot be verified by email."),
    _("The file method cannot prove a wildcard name."),
    _("%(type)s takes no wildcard name among several (%(name)s)."),
    _("Choose OV or OV Pro, or order it by itself."),
    _("Choose one of: %(list)s."),
    # what a look at a file saw (connectors/website.py, connectors/http.py), and how many places agreed
    _("%(url)s has the expected value%(way)s."),
    _(" after %(count)s redirects"),
    _('%(url)s answered status %(status)s with other text, beginning "%(text)s".'),
    _('%(url)s answered status %(status)s, beginning "%(text)s".'),
    _(
        "%(url)s answered status %(status)s; only redirects with 301, 302, 307 or 308 and a Location "
        "are followed."
    ),
    _("%(url)s leads to %(place)s: no public address and not in CERTDESK_ALLOW_NETWORKS."),
    _("Port %(port)s of %(url)s is not allowed (allowed: %(ports)s)."),
    _("%(url)s: no connection: %(detail)s."),
    _("%(url)s did not answer completely within %(seconds)s s."),
    _("%(url)s answered more than %(bytes)s bytes."),
    _("The name %(name)s has no address%(detail)s."),
    _(
        "No web server answers there: open port 80 or 443 to the internet, and check the name's address "
        "records."
    ),
    _("The web server asks for a password: let this path be read by everybody."),
    _("The web server forbids the path: let it be read by everybody."),
    _("The file is not there: put it into .well-known/pki-validation below the web root of this name."),
    _("The web server has a fault of its own: look into its log."),
    _("Serve the file itself, or redirect with 301, 302, 307 or 308."),
    _("The name leads to an address or port that may not be asked: it must be public."),
    _(
        "The redirect leads to where it may not: only http and https on the same ports and public "
        "addresses; serve the file without a redirect."
    ),
    _("More text than the value stands in the file; leave only the value."),
    _("A web page came in place of the file: the server answers every path with it."),
    _("The file of an earlier application is probably left: replace it with the one shown."),
    _("%(saw)s of %(all)s remote places saw the same; at most %(most)s may disagree."),
    _(
        "Not every server of the domain gives everybody the same answer: wait until the change has "
        "reached them all, and let no firewall or geographic answer treat our other places differently."
    ),
    _("%(address)s confirmed %(domain)s by the link of the mail%(from)s."),
    _("%(address)s confirmed %(domain)s by a reply to the mail."),
    _(" (from %(place)s)"),
    # paying, and what is not there
    _("The balance is too small: %(needed)s needed, %(there)s there."),
    _("Have the account credited, then pay the order again."),
    _("There is no certificate %(id)s."),
    _("Check the id in the list of certificates."),
    _("There is no order %(id)s."),
    _("Check the id in the list of orders."),
    _("You have decided about this organization already."),
    _("You applied for this certificate, so you may not decide about its organization."),
    _("Ask another RA officer."),
    _("An EV certificate needs a second, different officer."),
    _(
        "You may not decide: your user belongs to the person who applied, or one of the two was made or "
        "given its rights by the other."
    ),
    _(
        "Ask an RA officer whom the applicant did not appoint; an operator can make one with "
        "`./certdesk user create --groups officers`."
    ),
    # documents of an organization, and the mailed link
    _("The file is empty."),
    _("Choose another file."),
    _("The file is larger than %(size)s MiB."),
    _("Save it with a lower resolution, or in several files."),
    _("The file is neither PDF, PNG nor JPEG; its first bytes say so, whatever its name is."),
    _("Save the document as PDF, or take a picture of it as PNG or JPEG."),
    _("There are %(count)s documents already, which is the most."),
    _("Remove one that the officer does not need."),
    _("This document is there already."),
    _("Choose another one."),
    _("No file was chosen."),
    _("Choose a PDF, PNG or JPEG file."),
    _("An officer has decided with this document before him, so it stays until the end."),
    _("It goes by itself when the application ends."),
    _("This link is not one of ours, or it was cut off."),
    _("Copy the whole address from the mail, or sign in and open the certificate."),
    _("The organization has been decided about, so there is nothing to choose any more."),
    _("Sign in and open the certificate to see how it stands."),
    _("This link has expired: it is good for 30 days."),
    _("Sign in and open the certificate: the way of verification can be chosen there too."),
    # who may not apply, and the book
    _("The account has not passed real-name authentication, so it cannot apply."),
    _("Ask the operator to confirm who stands behind the account: `./certdesk account flags --real-name`."),
    _("The book has this contact already."),
    _("The book has this company already."),
    _("Delete one of the two."),
)


def _pattern(shape: str) -> re.Pattern[str]:
    """Every `%(part)s` stands for any text, also none."""
    parts = re.split(r"%\((\w+)\)s", shape)
    text = "".join(f"(?P<{part}>.*?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.compile(text, re.S)


PATTERNS = tuple((_pattern(shape), shape) for shape in SHAPES)


def say(text: str) -> str:
    """The sentence in the reader's language; as it came where no shape fits."""
    for pattern, shape in PATTERNS:
        found = pattern.fullmatch(text)
        if found:
            said = {name: say(part) if part else "" for name, part in found.groupdict().items()}
            return gettext(shape) % said
    return text
