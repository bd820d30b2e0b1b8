"""The short installation note in each download folder: plain text, nothing about the customer."""

_INSTALL = {
    "nginx": """Nginx
1. Copy server.crt and server.key to the server, e.g. to /etc/nginx/ssl/, and run: chmod 600 server.key
2. In the server block:
     listen 443 ssl;
     ssl_certificate     /etc/nginx/ssl/server.crt;
     ssl_certificate_key /etc/nginx/ssl/server.key;
3. Run: nginx -t && nginx -s reload
server.crt holds the certificate and its chain, in this order.
""",
    "apache": """Apache httpd
1. Copy server.crt, chain.crt and server.key to the server, and run: chmod 600 server.key
2. In the virtual host:
     SSLEngine on
     SSLCertificateFile      /path/to/server.crt
     SSLCertificateKeyFile   /path/to/server.key
     SSLCertificateChainFile /path/to/chain.crt
3. Run: apachectl configtest && apachectl graceful
""",
    "tomcat": """Tomcat
1. Copy server.p12 to the conf folder. Its password is the line in keystorePass.txt.
2. In conf/server.xml, inside <Connector port="443" SSLEnabled="true" ...>:
     <SSLHostConfig>
       <Certificate certificateKeystoreFile="conf/server.p12" certificateKeystoreType="PKCS12"
                    certificateKeystorePassword="..."/>
     </SSLHostConfig>
3. Restart Tomcat.
server.jks holds the same in the old Java format, for Java 8 and older; take it only if PKCS12 is refused.
""",
    "iis": """IIS
1. Copy server.pfx to the server. Its password is the line in keystorePass.txt.
2. In IIS Manager open Server Certificates, choose Import, and enter the file and the password.
3. At the site choose Bindings, add or edit https on port 443, and select the certificate.
server.pfx is encrypted with AES-256, which Windows Server 2019 and later read.
For Windows Server 2016 and older take the folder "other" and write a file in the old encryption:
     openssl pkcs12 -export -legacy -in cert.pem -certfile chain.pem -inkey server.key -out server.pfx
""",
    "other": """Other servers
cert.pem    the certificate of the server
chain.pem   the certificates above it, issuer first
server.key  the private key (PKCS#8, not encrypted); run: chmod 600 server.key
Where a server wants one file, put cert.pem first and chain.pem after it.
""",
}

_WITHOUT_KEY = """
The private key is NOT in this download: the CSR was made outside this service, which never had the key.
Use the key file that was made together with the CSR wherever server.key is named.
"""

_MAKE_STORE = """This server wants certificate and key in one file. Make it where the key is:
     openssl pkcs12 -export -in server.crt -certfile chain.crt -inkey server.key -out {store}
"""

_STORES = {"tomcat": "server.p12", "iis": "server.pfx"}


def text(server: str, *, has_key: bool) -> str:
    """The note for one server type (`nginx`, `apache`, `tomcat`, `iis`, `other`)."""
    if has_key:
        return _INSTALL[server] + "\nKeep the private key secret: whoever has it can pass for this server.\n"
    store = _STORES.get(server)
    if store is None:
        return _INSTALL[server] + _WITHOUT_KEY
    return _MAKE_STORE.format(store=store) + _INSTALL[server] + _WITHOUT_KEY
