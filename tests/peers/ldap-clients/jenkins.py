#!/usr/bin/python3
"""The searches and binds of Jenkins' LDAP plugin (Spring Security over JNDI), its root DN left empty."""

import ldap
from ldap.filter import filter_format

from client import Settings, connect, entries, manage_dsa_it, report


def main():
    settings = Settings()
    inferred = infer_root(settings)
    # OpenLDAP shows it only to who asks by name, so an administrator has to fill it in.
    root = inferred or settings.base
    manager = connect(settings)
    # FilterBasedLdapUserSearch: JNDI asks for all attributes, and for entries rather than references.
    found = search(manager, root, filter_format("(uid=%s)", [settings.user]))
    report(
        {
            "root": inferred,
            "found": [dn for dn, _ in found],
            "logged_in": log_in(settings, found[0][0]) if len(found) == 1 else None,
            "authorities": authorities(manager, root, found[0][0], settings.user) if found else [],
            "member_of": found[0][1].get("memberOf", []) if found else [],
            "by_member_of": by_member_of(manager, root, settings.user, group_dn(settings, settings.group)),
            "by_another_group": by_member_of(manager, root, settings.user, group_dn(settings, "level-1")),
        }
    )


def infer_root(settings):
    """LDAPSecurityRealm.inferRootDN: the first of these in the root DSE, as the manager."""
    connection = connect(settings)
    message = connection.search_ext("", ldap.SCOPE_BASE, "(objectClass=*)", serverctrls=manage_dsa_it())
    _, found = connection.result(message)
    fields = {name.lower(): values for name, values in found[0][1].items()}
    for name in ("defaultnamingcontext", "namingcontexts"):
        if name in fields:
            return fields[name][0].decode()
    return None


def search(connection, base, query, attributes=None):
    message = connection.search_ext(base, ldap.SCOPE_SUBTREE, query, attributes, serverctrls=manage_dsa_it())
    return entries(connection.result(message)[1])


def log_in(settings, dn):
    """BindAuthenticator: a connection of the person's own, which then reads the person's entry."""
    person = connect(settings, bound=False)
    person.simple_bind_s(dn, settings.password)
    message = person.search_ext(dn, ldap.SCOPE_BASE, "(objectClass=*)", serverctrls=manage_dsa_it())
    return [name for name, _ in entries(person.result(message)[1])]


def by_member_of(connection, root, user, group):
    """A user search filter that lets only members of a group in."""
    query = filter_format("(&(uid=%s)(memberOf=%s))", [user, group])
    return [dn for dn, _ in search(connection, root, query)]


def group_dn(settings, name):
    return f"cn={name},{settings.groups}"


def authorities(connection, root, dn, user):
    """DefaultLdapAuthoritiesPopulator with the plugin's own filter."""
    query = filter_format("(| (member=%s) (uniqueMember=%s) (memberUid=%s))".replace(" ", ""), [dn, dn, user])
    return sorted({name for _, fields in search(connection, root, query, ["cn"]) for name in fields["cn"]})


if __name__ == "__main__":
    main()
