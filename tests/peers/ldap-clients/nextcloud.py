#!/usr/bin/python3
"""The wizard and the login of Nextcloud (PHP's ldap): attribute names in lower case, pages of 500."""

import ldap
from ldap.controls.libldap import SimplePagedResultsControl
from ldap.filter import escape_filter_chars

from client import Settings, connect, entries, report

# The order in which it looks for an attribute that never changes.
UUIDS = ["entryuuid", "nsuniqueid", "objectguid", "guid", "ipauniqueid"]


def main():
    settings = Settings()
    connection = connect(settings)
    report(
        {
            "base": base(connection),
            "classes": {name: count(connection, settings.base, f"(objectclass={name})") for name in CLASSES},
            "uuid": uuid(connection, settings),
            "member_of": count(connection, settings.base, "(&(objectclass=inetorgperson)(memberof=*))") > 0,
            "group_member": group_member(connection, settings),
            "person": person(connection, settings),
            "logged_in": log_in(connection, settings),
        }
    )


CLASSES = ["inetorgperson", "person", "posixaccount", "groupofnames", "posixgroup", "groupofuniquenames"]


def base(connection):
    found = entries(connection.search_s("", ldap.SCOPE_BASE, "(objectclass=*)", ["namingcontexts"]))
    return {name.lower(): values for name, values in found[0][1].items()}.get("namingcontexts", [])


def count(connection, where, query):
    total, control = 0, SimplePagedResultsControl(False, size=500, cookie="")
    while True:
        message = connection.search_ext(where, ldap.SCOPE_SUBTREE, query, ["dn"], serverctrls=[control])
        _, found, _, controls = connection.result3(message)
        total += len(entries(found))
        control.cookie = next((one.cookie for one in controls if one.controlType == control.controlType), b"")
        if not control.cookie:
            return total


def uuid(connection, settings):
    """The first of these that the person has, asked one by one."""
    for name in UUIDS:
        found = entries(read(connection, f"uid={settings.user},{settings.people}", [name]))
        if found and found[0][1]:
            return name
    return None


def read(connection, dn, attributes):
    return connection.search_s(dn, ldap.SCOPE_BASE, "(objectclass=*)", attributes)


def group_member(connection, settings):
    for name in ["member", "uniquemember", "memberuid", "gidnumber"]:
        if count(connection, settings.groups, f"({name}=*)"):
            return name
    return None


def person(connection, settings):
    asked = ["entryuuid", "uid", "samaccountname", "memberof", "mail", "displayname", "jpegphoto", "thumbnailphoto"]
    found = entries(read(connection, f"uid={settings.user},{settings.people}", asked))
    return {name.lower(): values for name, values in found[0][1].items()} if found else {}


def log_in(connection, settings):
    query = f"(&(|(objectclass=inetorgperson))(|(uid={escape_filter_chars(settings.user)})))"
    found = entries(connection.search_s(settings.base, ldap.SCOPE_SUBTREE, query, ["dn", "uid", "displayname"]))
    if len(found) != 1:
        return False
    connect(settings, bound=False).simple_bind_s(found[0][0], settings.password)
    return True


if __name__ == "__main__":
    main()
