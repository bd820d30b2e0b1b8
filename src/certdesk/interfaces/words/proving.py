"""Proof of control, pre-flight and CAA at the moment of issuance."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("Check the spelling; register it."),
    _("A CNAME stands at %(owner)s already, pointing to %(target)s."),
    _("Delete it, or replace its value later."),
    _("A CNAME stands at %(owner)s: the TXT record must be set at %(target)s."),
    _("Set it there, or remove the CNAME."),
    _(
        "%(zone)s is served by %(servers)s, not by the name servers of %(label)s (%(own)s): records "
        "set there are seen by nobody."
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
    _("Verification by %(method)s ended on %(date)s (Baseline Requirements)."),
    _("Verification by %(method)s ended on %(date)s."),
    _("file"),
    _("dns"),
    _("Automatic verification works by DNS, not by %(method)s."),
    _("%(domain)s is not a name of the application that waits."),
    _("%(domain)s is verified already."),
    _("No mailbox of %(domain)s takes mail."),
    _("The address %(address)s may not confirm %(domain)s."),
    _("The certificate %(certificate)s has no document %(document)s."),
    _("The account has neither proved nor used the name %(name)s."),
    _("The organization is not waiting for a decision: it is %(state)s."),
    _("waiting"),
    _("approved"),
    _("rejected"),
    _("ended"),
    _("pending"),
    _("open"),
    _("withdrawn"),
    _("The %(field)s is not known."),
    _("The checklist of %(level)s has no item %(item)s."),
    _("Its items are: %(list)s."),
    _("The reason has %(count)s characters; at most %(most)s are allowed."),
    _("Not everything was checked: %(item)s"),
    _("Check and tick: %(list)s."),
    _("decision %(decision)s is not known."),
    _("There is nothing with the id %(id)s."),
    _("The look at %(place)s was not over after %(seconds)s seconds."),
    _("The %(kind)s servers answer slowly or not at all; the next check comes by itself."),
    _("web"),
    _("%(count)s names are more than the %(most)s of one certificate."),
    _("Automatic DNS needs the right %(right)s, which no policy of yours allows."),
    _("the issuer"),
    _("The CAA records of %(name)s could not be read in time."),
    _("The %(type)s record at %(owner)s has the expected value (seen at %(servers)s). DNSSEC: secure."),
    _(
        "The %(type)s record at %(owner)s has the expected value (seen at %(servers)s)."
        " DNSSEC: the zone is not signed."
    ),
)
