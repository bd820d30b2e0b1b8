"""What checks saw in the DNS and on web servers, and the likely cause."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _(" (%(found)s from %(server)s)"),
    _("The %(type)s record at %(owner)s has the expected value (seen at %(servers)s)."),
    _("%(some)s of %(all)s servers have the expected %(type)s record at %(owner)s."),
    _("The %(type)s record at %(owner)s has %(values)s, not the expected value."),
    _("The name %(owner)s has no %(type)s record (asked %(servers)s)."),
    _("The name %(owner)s does not exist: NXDOMAIN from %(servers)s."),
    _("The question for %(owner)s failed: SERVFAIL from %(servers)s."),
    _("The question for %(owner)s was refused: REFUSED from %(servers)s."),
    _("The question for %(owner)s got no answer in time from %(servers)s."),
    _("The name %(owner)s leads nowhere: %(detail)s."),
    _("Server %(servers)s does not have it yet: wait until the change has reached every server%(wait)s."),
    _("Servers %(servers)s do not have it yet: wait until the change has reached every server%(wait)s."),
    _(" (resolvers may keep what they have for up to %(seconds)s s, the TTL)"),
    _(" (the resolver keeps what it has for %(seconds)s s more)"),
    _("The name servers of the domain have private addresses: the operator has not allowed them."),
    _(
        "The servers to which %(domain)s is delegated do not serve it: a wrong DNS platform was "
        "selected, or the domain's NS records at the registrar are old."
    ),
    _("The name servers of %(domain)s are broken: ask the DNS provider, then try again."),
    _("The name servers of %(domain)s cannot be reached at present: try again later."),
    _(
        "A foreign CNAME stands at %(owner)s, pointing to %(target)s: an old record or another "
        "service's; replace its value%(wait)s."
    ),
    _("The record is set wrongly: %(what)s."),
    _("quotation marks stand inside the value; remove them"),
    _("spaces or line breaks stand in the value; remove them"),
    _("capital and small letters differ from the value shown"),
    _("a dot was added at the value's end; remove it"),
    _("more text than the value stands in the record; leave only the value"),
    _("the value was cut; copy the whole of it"),
    _(
        "A foreign CNAME stands at %(owner)s: the name is an alias of %(target)s, whose values "
        "count; set the value there or remove the CNAME."
    ),
    _(
        "A foreign CNAME stands at %(owner)s: the name is an alias of %(target)s, which has no "
        "%(type)s record; set the value there or remove the CNAME."
    ),
    _(
        "The record of an earlier application is probably left: delete it, so that the new value "
        "counts%(wait)s."
    ),
    _("The record holds another value: check it against the one shown%(wait)s."),
    _("The CNAME records are set wrongly: %(detail)s; remove the one at %(owner)s."),
    _("The domain %(domain)s is not registered, or not delegated by its parent."),
    _("The record has the wrong type: a %(other)s record with the value was set; it must be %(type)s."),
    _(
        "The record stands at %(place)s: the platform adds the zone %(zone)s by itself; enter "
        "%(host)s as host record."
    ),
    _("The record stands at %(place)s; it must stand at %(owner)s."),
    _(
        "The name servers of %(zone)s do not have the record: it was set on another DNS platform, or "
        "not saved, or only just now%(wait)s."
    ),
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
        "No web server answers there: open port 80 or 443 to the internet, and check the name's "
        "address records."
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
        "reached them all, and let no firewall or geographic answer treat our other places "
        "differently."
    ),
    _("%(address)s confirmed %(domain)s by the link of the mail%(from)s."),
    _("%(address)s confirmed %(domain)s by a reply to the mail."),
    _(" (from %(place)s)"),
    _("No CAA record stands at %(places)s."),
    _("The CAA records of %(name)s cannot be read (%(why)s), so nothing may be issued now."),
    _("%(found)s from %(server)s: %(detail)s"),
    _("no server to ask"),
    _("it permits nobody"),
    _("it names %(issuer)s, not %(ours)s"),
    _("our issuer"),
    _("its accounturi is not the issuer's account"),
    _("its validationmethods do not have the method used"),
    _("The CAA record %(record)s at %(place)s is critical and unknown: nothing may be issued."),
    _("The CAA records at %(place)s do not restrict who may issue such a name."),
    _("The CAA record %(record)s at %(place)s permits the issuer."),
    _("no answer in time"),
    _("cannot be reached: %(error)s"),
    _("the answer cannot be read"),
    _("the answer belongs to another question"),
    _("the CNAME records turn in a circle at %(place)s"),
    _("more than %(most)s CNAME records stand in a row"),
    _("the server does not hold the zone (lame)"),
    _("does not hold the zone (lame)"),
    _("no server of the zone %(zone)s answers (%(detail)s)"),
    _("none of the servers of %(zone)s has an address: %(names)s"),
    _("the delegations of %(zone)s do not end"),
    _("%(addresses)s: no public address and not in CERTDESK_ALLOW_NETWORKS"),
    _("zone %(zone)s"),
    _("the check ran out of time"),
    _("the way to its servers"),
    _("it ran out of time"),
    _("%(text)s is not a DNS name."),
    _("%(text)s is no DNS server address (ip:port)."),
    _("%(some)s and %(count)s more"),
    _("%(value)s and %(count)s more values"),
    _("No name server answered for it (%(detail)s)."),
    _("none was found"),
    _("The CAA records of %(name)s could not be read."),
    _("a %(other)s record with the value was set; it must be %(type)s"),
    _(
        "The name servers of %(zone)s (%(held)s) do not have the record: it was set on another DNS "
        "platform, or not saved, or only just now%(wait)s."
    ),
    _("visible at"),
    _("gone from"),
    _("still at"),
    _("missing at"),
    _("The %(type)s value at %(name)s is gone from all %(count)s servers.%(wait)s"),
    _("The %(type)s value at %(name)s is gone from the server %(server)s.%(wait)s"),
    _("missing at %(servers)s; no answer from %(silent)s"),
    _("still at %(servers)s; no answer from %(silent)s"),
    _("missing at %(servers)s"),
    _("still at %(servers)s"),
    _("no answer from %(servers)s"),
    _("no server was found"),
    _("The address %(address)s names a local interface."),
    _("%(host)s is not a host name."),
    _("%(host)s is not an IP address in its ordinary spelling."),
    _("%(address)s is not an IP address."),
    _("The URL %(url)s has characters that no URL may have."),
    _("%(url)s is neither http nor https."),
    _("%(url)s has no plain host name (no user name or password may stand in it)."),
    _("%(url)s: connected to %(peer)s in place of %(address)s."),
    _("%(url)s redirects more than %(most)s times."),
    _("%(url)s is not a URL."),
    _("%(url)s answered no valid HTTP: %(error)s."),
    _("%(url)s broke the connection: %(error)s."),
    _("The request to %(url)s cannot be written: a header is not valid."),
    _("%(url)s closed the connection without an answer."),
    _("The perspective %(url)s answered status %(status)s."),
    _("The answer of the perspective %(url)s is not signed by it."),
    _("The answer of the perspective %(url)s cannot be read."),
    _("There is no port on which %(name)s may be asked."),
    _('%(url)s answered status %(status)s after %(count)s redirects with other text, beginning "%(text)s".'),
    _(
        "%(url)s answered status %(status)s after %(count)s redirects; only redirects with 301, 302, "
        "307 or 308 and a Location are followed."
    ),
    _('%(url)s answered status %(status)s after %(count)s redirects, beginning "%(text)s".'),
    _("the %(type)s records of %(name)s are not signed"),
    _("the signature of the %(type)s records of %(name)s does not hold (%(told)s)"),
    _("the signature of the %(type)s records of %(name)s cannot be checked"),
    _("wrong"),
    _("nothing signed says that the zone %(zone)s is not signed"),
    _("the zone %(zone)s shows no keys, though its parent has DS"),
    _("no key of the zone %(zone)s is named by the DS records of its parent"),
    _("nothing signed says that %(name)s has no %(type)s record"),
    _("a wildcard answers for %(name)s, but nothing signed says that it is absent"),
    _("nobody says whether %(zone)s is signed"),
    _("the keys of %(zone)s cannot be read"),
    _("%(server)s refuses the signatures"),
    _("its signatures took too long to check"),
)
