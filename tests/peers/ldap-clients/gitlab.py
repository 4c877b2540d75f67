#!/usr/bin/python3
"""The searches and binds of GitLab (omniauth-ldap over net-ldap): a login, the hourly look at the person, group sync."""

import ldap
from ldap.controls.libldap import SimplePagedResultsControl
from ldap.filter import filter_format

from client import Settings, connect, entries, report

ATTRIBUTES = ["dn", "uid", "cn", "mail", "email", "userPrincipalName", "sAMAccountName", "userid", "memberOf"]
# What net-ldap reads before its first search.
ROOT = [
    "altServer",
    "namingContexts",
    "supportedCapabilities",
    "supportedControl",
    "supportedExtension",
    "supportedFeatures",
    "supportedLDAPVersion",
    "supportedSASLMechanisms",
]
USER_FILTER = "(objectClass=person)"


def main():
    settings = Settings()
    connection = connect(settings)
    root = entries(connection.search_s("", ldap.SCOPE_BASE, "(objectClass=*)", ROOT))[0][1]
    pages = SimplePagedResultsControl.controlType in root.get("supportedControl", [])
    query = f"(&{filter_format('(uid=%s)', [settings.user])}{USER_FILTER})"
    found = search(connection, settings.base, ldap.SCOPE_SUBTREE, query, None, pages, size=1)
    dn = found[0][0] if found else None
    logged_in = dn is not None and bind_as(connection, dn, settings)
    report(
        {
            "pages": pages,
            "dn": dn,
            "mail": found[0][1].get("mail", []) if found else [],
            "logged_in": logged_in,
            "alive": alive(settings, dn, pages) if dn else False,
            "members": members(settings, pages),
        }
    )


def search(connection, base, scope, query, attributes, pages, size=0):
    """net-ldap pages by 126 where the server can."""
    controls = [SimplePagedResultsControl(False, size=126, cookie="")] if pages else []
    message = connection.search_ext(base, scope, query, attributes, serverctrls=controls, sizelimit=size)
    return entries(connection.result3(message)[1])


def bind_as(connection, dn, settings):
    """On the very connection that searched."""
    try:
        connection.simple_bind_s(dn, settings.password)
        return True
    except ldap.INVALID_CREDENTIALS:
        return False


def alive(settings, dn, pages):
    """The hourly look: the entry itself, by its DN."""
    try:
        return len(search(connect(settings), dn, ldap.SCOPE_BASE, USER_FILTER, ATTRIBUTES, pages)) == 1
    except ldap.NO_SUCH_OBJECT:
        return False


def members(settings, pages):
    query = filter_format("(cn=%s)", [settings.group])
    attributes = ["dn", "cn", "memberuid", "member", "submember", "uniquemember", "memberof"]
    found = search(connect(settings), settings.groups, ldap.SCOPE_SUBTREE, query, attributes, pages)
    return sorted(dn for _, fields in found for dn in fields.get("member", []))


if __name__ == "__main__":
    main()
