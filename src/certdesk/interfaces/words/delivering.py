"""Targets that run programs, write files of servers or speak to them over HTTP."""

from django.utils.translation import gettext_noop as _

SHAPES = (
    _("its output repeats a secret and is not shown"),
    _("%(path)s is no program that targets may run."),
    _("Ask the operator to name it in CERTDESK_TARGET_PROGRAMS."),
    _("%(path)s is no program."),
    _("Correct its path."),
    _("%(path)s may be changed by others than its owner, or lies where targets write."),
    _("Move it to a folder of its own and take away the right to write for group and others."),
    _("%(path)s was not over after %(seconds)s s and was ended."),
    _("Run it by hand to see what it waits for."),
    _("%(path)s cannot be started: %(problem)s."),
    _("Check the program and its rights."),
    _("%(path)s did not %(what)s: status %(status)s, %(told)s."),
    _("and it said nothing"),
    _("Read the program's words; correct what it complains about."),
    _("A command is a program with at most %(most)s arguments, without zero bytes."),
    _("Write a script for what needs more."),
    _("it is longer than %(most)s bytes"),
    _("Envoy (SDS file)"),
    _("Secret file"),
    _(
        "The path of path_config_source, as JSON with this one secret; Envoy watches it, or its folder "
        "where watched_directory says so."
    ),
    _("Name of the secret"),
    _("As in tls_certificate_sds_secret_configs."),
    _("%(path)s holds no secrets of Envoy in JSON, so it was left as it is."),
    _("Write it as JSON with a list named resources."),
    _("%(path)s holds other secrets, and Envoy takes no file with more than one, so it was left as it is."),
    _("Give each secret a file of its own."),
    _("Java keystore (Tomcat)"),
    _("Keystore file"),
    _("The keystoreFile or certificateKeystoreFile of the server."),
    _("Format"),
    _("JKS for Java 8 and older only."),
    _("Password of the keystore"),
    _("Also that of the key in it. Six characters or more."),
    _("Alias"),
    _("The name of the entry."),
    _("keystores take passwords of six characters or more"),
    _("Address of Tomcat's manager"),
    _(
        "Its text interface is asked to read the keystore again. The operator must have allowed the "
        "address (CERTDESK_ALLOW_NETWORKS). Empty: the command below reloads the server."
    ),
    _("User of the manager"),
    _("With the role manager-script."),
    _("Password of the manager"),
    _("TLS host of Tomcat"),
    _("hostName of the SSLHostConfig with this keystore; _default_ where it has none."),
    _(
        "One argument a line, the program first, no shell. It must be named in "
        "CERTDESK_TARGET_PROGRAMS. Empty: the server looks at the file by itself; Tomcat does not."
    ),
    _("give the address of the manager or a command, and not both"),
    _("give user and password of the manager"),
    _("The reload of Tomcat's TLS"),
    _("The look at Tomcat's manager"),
    _("Correct user and password of the manager."),
    _("Give the user the role manager-script, and let the manager be asked from this machine."),
    _("Correct the manager's address, and see that the manager is deployed there."),
    _("Read the words in Tomcat's log; correct what it complains about."),
    _("Correct the manager's address."),
    _("Correct the name of the TLS host, or what Tomcat's log complains about."),
    _("%(host)s did not answer as Tomcat's manager does."),
    _("Correct the manager's address; it usually ends with /manager."),
    _("PEM files and a reload command"),
    _("Certificate file"),
    _("Certificate and chain in PEM."),
    _("Key file"),
    _("Empty: the key stands in the certificate file too, so that both change at once."),
    _("Command that reloads the server"),
    _("One argument a line, the program first, no shell. It must be named in CERTDESK_TARGET_PROGRAMS."),
    _(
        "One argument a line, the program first, no shell. It must be named in "
        "CERTDESK_TARGET_PROGRAMS. Not needed with a socket."
    ),
    _(
        "One argument a line, the program first, no shell. It must be named in "
        "CERTDESK_TARGET_PROGRAMS. Empty: the server looks at the file by itself."
    ),
    _("host:port where clients connect, each looked at after a deployment."),
    _(
        "host:port where clients connect, each looked at after a deployment; with smtp://, imap://, "
        "pop3:// or postgresql:// in front where TLS begins later."
    ),
    _("%(path)s does not hold a certificate that can be read."),
    _("Put the first certificate there by hand, so that there is one to go back to."),
    _("This target has one certificate only: nothing can be pushed here."),
    _("There is no command: the server has to see the new file by itself within seconds."),
    _("The private key does not belong to the certificate, so nothing was changed."),
    _("Deploy a certificate whose key belongs to it."),
    _("%(path)s does not hold a certificate that can be read, so it could not be put back."),
    _("Let the server work with a certificate of its own first, then try again."),
    _("This target has no certificate %(path)s any more."),
    _("reload the server"),
    _("The file of smtpd_tls_chain_files, or of smtpd_tls_cert_file."),
    _(
        "smtp://host:port for ports that begin in plain (25, 587), host:port for 465; each is looked "
        "at after a deployment."
    ),
    _("Deploy instead."),
    _("The file of ssl_cert_file, by its whole path."),
    _(
        "The file of ssl_key_file. Empty: ssl_key_file names the certificate file too, so that both "
        "change at once."
    ),
    _("postgresql://host:port where clients connect, each looked at after a deployment."),
    _("Folder of the UNIX socket"),
    _("For pg_reload_conf(). Empty: the command below reloads the server."),
    _("A role that may execute pg_reload_conf()."),
    _("Empty where the socket trusts this service's user."),
    _("Database"),
    _("PostgreSQL did not answer within %(seconds)s s."),
    _("PostgreSQL cannot be used at %(path)s: %(why)s."),
    _("Check that it runs, the folder of its socket, port, user and password."),
    _("PostgreSQL refused: %(why)s."),
    _("Give the role %(role)s the right to execute pg_reload_conf()."),
    _("The certificate that %(address)s serves cannot be read."),
    _("Let the server serve a certificate that its clients can read, then try again."),
    _("there is no port %(port)s"),
    _(
        "this service may not give the new one to the same owner and group, so the server could not read it "
        "after its next restart"
    ),
    _("Let the file's group read it, with the server's user and this service's in that group."),
    _("give the folder of the socket or a command, and not both"),
    _("a port lies between 1 and 65535"),
    _("The server does not speak TLS: its setting ssl is off."),
    _("Put ssl = on into its configuration and reload it."),
    _("The server reads its certificate from %(used)s, not from %(path)s."),
    _("Name the file of ssl_cert_file."),
    _("Address of the admin API"),
    _("As in Caddy's global option admin. The operator must have allowed it (CERTDESK_ALLOW_NETWORKS)."),
    _("Caddy does not show certificate and key of %(path)s, so they could not be put back."),
    _("Load them as PEM text, not from a file."),
    _("Caddy uses every certificate that it has, so none can be laid there unused."),
    _("Caddy has no certificate that was loaded as PEM."),
    _("Put the first one into apps.tls.certificates.load_pem of its configuration."),
    _("Somebody else changed Caddy's configuration just now."),
    _("The change of the certificate"),
    _("The look at the certificates"),
    _(
        "A Caddy that is started with its old configuration serves the old certificate again: start "
        "it with --resume."
    ),
    _(
        "With each change Caddy opens its ports anew, and Linux may reset connections that wait there just "
        "then: set the sysctl net.ipv4.tcp_migrate_req to 1 on its machine."
    ),
    _("Command"),
    _("Handed over by"),
    _(
        "files: fullchain.pem, certificate.pem, chain.pem, key.pem and message.json in a private "
        "folder that {folder} in an argument stands for. stdin: one JSON message with all of it."
    ),
    _("do its part"),
    _("Domain names"),
    _("The names served there. Empty: those of the certificate that is served."),
    _("https://…, which takes JSON by POST. Stored like a password."),
    _("Key of the signature"),
    _("Shared with the receiver; empty: not signed."),
    _("Send the private key"),
    _("Only over https, and signed. Without it the receiver has to hold the key already."),
    _("a private key is sent over https alone, and only signed"),
    _("The delivery (%(event)s)"),
    _("The webhook at %(host)s cannot be used."),
    _("Check that the server runs and can be reached from here."),
    _("Ask the operator to allow the address (CERTDESK_ALLOW_NETWORKS) or port."),
)
