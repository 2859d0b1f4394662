"""A broker that lets nobody in without TLS, a name and a rule that allows it.

Beside the plain listener, which is the tests' own (its anonymous user is a super user), it has SASL_SSL (SCRAM-SHA-512
and PLAIN) and SSL (both sides show a certificate), and Kafka's StandardAuthorizer decides.
"""

import subprocess

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from .broker import Broker
from .ports import free_port

_RESOURCES = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "cluster": ResourceType.BROKER}

_MORE = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=\\
org.apache.kafka.common.security.plain.PlainLoginModule required {users};
ssl.keystore.type=PEM
ssl.keystore.location={directory}/broker.both.pem
ssl.truststore.type=PEM
ssl.truststore.location={directory}/ca.pem
listener.name.ssl.ssl.client.auth=required
# CN=name becomes User:name, as over SASL.
ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/
"""


class Certificates:
    """An authority and what it signed, as PEM files in a directory."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.ca = self.authority("ca")

    def _openssl(self, *args):
        done = subprocess.run(["openssl", *map(str, args)], cwd=self.directory, capture_output=True, text=True)
        assert done.returncode == 0, f"openssl {args}: {done.stderr}"

    def authority(self, name):
        """Another one, which signed nothing; its certificate's path."""
        key, certificate = self.directory / f"{name}.key", self.directory / f"{name}.pem"
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", key, "-out", certificate),
        )
        return certificate

    def signed(self, name, password=None, alternative=None):
        """(certificate, key) of CN=name; alternative: what it may be called by, "IP:127.0.0.1"."""
        key, request, certificate = (self.directory / f"{name}.{end}" for end in ("key", "csr", "pem"))
        hidden = ("-passout", f"pass:{password}") if password else ("-nodes",)
        self._openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *hidden),
            *("-subj", f"/CN={name}", "-keyout", key, "-out", request),
        )
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\n" if alternative else "", encoding="ascii")
        self._openssl(
            *("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.directory / "ca.key"),
            *("-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate),
        )
        return certificate, key


class SecureBroker(Broker):
    def __init__(self, directory, users):
        """users: {name: password} of PLAIN; SCRAM's come later, with add_scram_user()."""
        self.certificates = Certificates(directory / "tls")
        certificate, key = self.certificates.signed("broker", alternative="IP:127.0.0.1")
        both = self.certificates.directory / "broker.both.pem"
        both.write_text(key.read_text() + certificate.read_text(), encoding="ascii")
        self.sasl_port, self.tls_port = free_port(), free_port()
        known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
        more = _MORE.format(directory=self.certificates.directory, users=known)
        super().__init__(directory, {"SASL_SSL": self.sasl_port, "SSL": self.tls_port}, more)

    def add_scram_user(self, name, password):
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(name, info, password.encode())
        for future in self.admin.alter_user_scram_credentials([change]).values():
            future.result(15)

    @staticmethod
    def _rule(kind, user, resource, name, operation):
        words = (ResourcePatternType.LITERAL, f"User:{user}", "*", AclOperation[operation], AclPermissionType.ALLOW)
        return kind(_RESOURCES[resource], name, *words)

    def allow(self, user, resource, name, *operations):
        rules = [self._rule(AclBinding, user, resource, name, operation) for operation in operations]
        for future in self.admin.create_acls(rules).values():
            future.result(15)

    def take_away(self, user, resource, name, operation):
        rule = self._rule(AclBindingFilter, user, resource, name, operation)
        for future in self.admin.delete_acls([rule]).values():
            assert future.result(15), f"{user} had no {operation} on {resource} {name}"
