"""What the scripts of this folder share: they are told of a directory by the environment, and print JSON."""

import json
import os

import ldap
from ldap.controls.simple import ManageDSAITControl


class Settings:
    def __init__(self):
        self.url = os.environ["LDAP_URL"]
        self.base = os.environ["LDAP_BASE"]
        self.people = os.environ["LDAP_PEOPLE"]
        self.groups = os.environ["LDAP_GROUPS"]
        self.bind_dn = os.environ["LDAP_BIND_DN"]
        self.bind_password = os.environ["LDAP_BIND_PASSWORD"]
        self.user = os.environ.get("LDAP_USER", "alice")
        self.password = os.environ.get("LDAP_PASSWORD", "alice-password")
        self.group = os.environ.get("LDAP_GROUP", "employees")


def connect(settings, bound=True):
    """A connection by TLS, or by StartTLS where the address is a plain one; bound as the app."""
    connection = ldap.initialize(settings.url)
    connection.set_option(ldap.OPT_PROTOCOL_VERSION, 3)
    connection.set_option(ldap.OPT_REFERRALS, 0)
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, 10)
    connection.set_option(ldap.OPT_TIMEOUT, 30)
    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, os.environ["LDAP_CA"])
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    if settings.url.startswith("ldap://"):
        connection.start_tls_s()
    if bound:
        connection.simple_bind_s(settings.bind_dn, settings.bind_password)
    return connection


def outcome(call, *arguments, **named):
    """The name of the error that it ends with, or "success"."""
    try:
        call(*arguments, **named)
        return "success"
    except ldap.LDAPError as error:
        return type(error).__name__


def entries(found):
    """Entries without references, as (DN, {attribute: [text]})."""
    return [
        (dn, {name: [value.decode("utf-8", "backslashreplace") for value in values] for name, values in fields.items()})
        for dn, fields in found
        if dn is not None
    ]


def manage_dsa_it():
    """What Java sends with every search."""
    return [ManageDSAITControl(False)]


def report(what):
    print(json.dumps(what, ensure_ascii=False))
