#!/usr/bin/python3
"""The searches and binds of Grafana: a login with groups from memberOf, the same by a search, and its background sync."""

import ldap
from ldap.filter import filter_format

from client import Settings, connect, entries, report

ATTRIBUTES = ["uid", "sn", "mail", "givenName", "memberOf"]


def main():
    settings = Settings()
    connection = connect(settings)
    found = people(connection, settings, [settings.user])
    dn, fields = found[0]
    # It logs the person in on the same connection, then takes its own name again for groups.
    connection.simple_bind_s(dn, settings.password)
    connection.simple_bind_s(settings.bind_dn, settings.bind_password)
    wanted = f"cn={settings.group},{settings.groups}".upper()
    report(
        {
            "dn": dn,
            "mail": fields.get("mail", []),
            "in_group": wanted in [group.upper() for group in fields.get("memberOf", [])],
            "by_member_uid": sorted(search_groups(connection, settings, "memberUid", settings.user)),
            "by_member": sorted(search_groups(connection, settings, "member", dn)),
            "synced": sorted(name for name, _ in people(connection, settings, [settings.user, "carol", "nobody"])),
        }
    )


def people(connection, settings, logins):
    """All that are asked for in one filter, as the background sync does with many."""
    query = "(|" + "".join(filter_format("(uid=%s)", [login]) for login in logins) + ")"
    return entries(connection.search_s(settings.base, ldap.SCOPE_SUBTREE, query, ATTRIBUTES))


def search_groups(connection, settings, attribute, value):
    objects = "posixGroup" if attribute == "memberUid" else "groupOfNames"
    query = filter_format(f"(&(objectClass={objects})({attribute}=%s))", [value])
    return [dn for dn, _ in entries(connection.search_s(settings.groups, ldap.SCOPE_SUBTREE, query, ["dn"]))]


if __name__ == "__main__":
    main()
