"""Web servers and firewalls as targets: their options, their files, their own commands."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("Configuration file"),
    _("What nginx is started with; nginx -t names it."),
    _("The main one, which includes the others."),
    _(
        "Empty: as the configuration says, looked at on this machine. Else host:port where clients "
        "connect, e.g. the address of a balancer in front; each is looked at after a deployment."
    ),
    _("Certificate files"),
    _(
        "Empty: every certificate that the configuration names. Else /path/certificate=/path/key, and "
        "only these are offered; name the listeners too."
    ),
    _("systemd unit"),
    _("Empty: its own command tells the server to reload. Else systemctl does, e.g. nginx."),
    _("Run the server's commands with sudo"),
    _("For a service that does not run as root: the operator allows it these in sudoers."),
    _("certificate files are named without the listeners that serve them"),
    _("The look at nginx's configuration (nginx -T)"),
    _("nginx's test of its configuration (nginx -t)"),
    _("nginx's reload"),
    _("nginx's reload by systemd"),
    _("The look at Apache's virtual hosts (apachectl -t -D DUMP_VHOSTS)"),
    _("Apache's test of its configuration (apachectl -t)"),
    _("Apache's graceful reload"),
    _("Apache's reload by systemd"),
    _("No certificate of nginx's configuration is a file with a fixed path."),
    _("%(what)s was not over after %(seconds)s s."),
    _("%(what)s said more than %(count)s bytes."),
    _("it said nothing"),
    _("Let this service do that: by its user's rights, or switch on sudo and allow it these commands."),
    _("Look at the server's configuration; what it says is in the message."),
    _("%(path)s is longer than %(count)s bytes."),
    _("Name a certificate file."),
    _("The files of %(path)s cannot be changed: %(problem)s."),
    _("Let this service write in the folders of certificate and key, with room on the disk."),
    _("The private key does not belong to the certificate, so nothing was changed."),
    _("Deploy a certificate whose key belongs to it."),
    _("they cannot be read"),
    _("%(path)s and %(key)s were written and no server would take them: %(problem)s."),
    _("%(server)s does not run."),
    _("Start it, then try again: it is only told to reload."),
    _("The program %(name)s is not installed on this machine."),
    _("Install it, or connect the target from the machine where it runs."),
    _("%(path)s and its key hold no certificate that could be put back."),
    _("Put the certificate and key that are served now into these files, then try again."),
    _("Somebody else has changed %(path)s meanwhile."),
    _("%(path)s is in use."),
    _("Deploy to it instead of pushing."),
    _("%(server)s has no certificate yet that could be replaced."),
    _("%(server)s serves %(name)s without HTTPS."),
    _("Switch HTTPS on there first, with any certificate; then deploy."),
    _("%(server)s does not use the certificate %(path)s (any more)."),
    _("%(path)s is the key of several certificates, which a new key would break."),
    _("Give each certificate a key file of its own in the configuration."),
    _("This service may not write in %(path)s."),
    _("Let its user write there: certificates are switched beside the old ones."),
    _("WAF has no such domain. Add it there first, with HTTPS and any certificate, then deploy."),
    _("WAF has this domain without HTTPS. Configure a certificate for it there first, then deploy."),
)
