#!/usr/bin/python3
"""What an app on python-ldap does: binds, searches, pages, comparisons, and what a server must refuse."""

import ldap
import ldap.modlist
import ldap.schema
from ldap.controls.libldap import SimplePagedResultsControl
from ldap.controls.sss import SSSRequestControl
from ldap.filter import escape_filter_chars

from client import Settings, connect, entries, outcome, report


def main():
    settings = Settings()
    connection = connect(settings)
    person = f"uid={settings.user},{settings.people}"
    report(
        {
            "who": connection.whoami_s(),
            "person": entries(connection.search_s(settings.people, ldap.SCOPE_SUBTREE, f"(uid={settings.user})")),
            "names_only": entries(connection.search_s(person, ldap.SCOPE_BASE, "(objectClass=*)", ["1.1"])),
            "operational": entries(connection.search_s(person, ldap.SCOPE_BASE, "(objectClass=*)", ["+"])),
            "wildcard_is_a_letter": entries(
                connection.search_s(settings.people, ldap.SCOPE_SUBTREE, f"(uid={escape_filter_chars('al*')})", ["uid"])
            ),
            "compare": {
                "equal": connection.compare_s(person, "uid", settings.user.upper().encode()),
                "unequal": connection.compare_s(person, "uid", b"somebody else"),
                "no_such_attribute": outcome(connection.compare_s, person, "employeeType", b"1"),
                "no_such_object": outcome(connection.compare_s, f"uid=nobody,{settings.people}", "uid", b"nobody"),
            },
            "pages": pages(connection, settings),
            "rebinds": rebinds(connection, settings, person),
            "refused": refused(connection, settings, person),
            "schema": schema(connect(settings)),
            "abandon": abandon(connection, settings),
        }
    )


def pages(connection, settings):
    """Everybody by two at once, and how many pages that took."""
    control = SimplePagedResultsControl(True, size=2, cookie="")
    seen, count = [], 0
    while True:
        message = connection.search_ext(
            settings.people, ldap.SCOPE_SUBTREE, "(objectClass=person)", ["uid"], serverctrls=[control]
        )
        _, found, _, controls = connection.result3(message)
        seen += [dn for dn, _ in found]
        count += 1
        answer = [one for one in controls if one.controlType == SimplePagedResultsControl.controlType]
        if not answer or not answer[0].cookie:
            return {"count": count, "seen": seen}
        control.cookie = answer[0].cookie


def rebinds(connection, settings, person):
    """One connection, used by the app and the person in turn."""
    told = []
    for name, password in [
        (person, settings.password),
        (settings.bind_dn, settings.bind_password),
        (person, settings.password),
    ]:
        connection.simple_bind_s(name, password)
        told.append(connection.whoami_s())
    told.append(outcome(connection.simple_bind_s, person, "wrong " + settings.password))
    # A bind that failed leaves nobody.
    told.append(connection.whoami_s())
    connection.simple_bind_s(settings.bind_dn, settings.bind_password)
    return told


def refused(connection, settings, person):
    attributes = {"objectClass": [b"inetOrgPerson"], "cn": [b"New"], "sn": [b"New"], "uid": [b"new"]}
    return {
        "unauthenticated": outcome(connect(settings, bound=False).simple_bind_s, person, ""),
        "unknown": outcome(connect(settings, bound=False).simple_bind_s, f"uid=nobody,{settings.people}", "a-password"),
        "add": outcome(connection.add_s, f"uid=new,{settings.people}", ldap.modlist.addModlist(attributes)),
        "modify": outcome(connection.modify_s, person, [(ldap.MOD_REPLACE, "sn", [b"Other"])]),
        "delete": outcome(connection.delete_s, person),
        "rename": outcome(connection.rename_s, person, "uid=other"),
        "sort": outcome(
            connection.search_ext_s,
            settings.people,
            ldap.SCOPE_SUBTREE,
            "(objectClass=person)",
            ["uid"],
            serverctrls=[SSSRequestControl(criticality=True, ordering_rules=["uid"])],
        ),
        "no_such_base": outcome(connection.search_s, f"ou=nowhere,{settings.base}", ldap.SCOPE_SUBTREE, "(uid=*)"),
        "password": [
            dn
            for dn, fields in connection.search_s(
                settings.base, ldap.SCOPE_SUBTREE, "(objectClass=*)", ["userPassword", "*", "+"]
            )
            if dn and any(name.lower() == "userpassword" for name in fields)
        ],
    }


def schema(connection):
    """The server's own schema, read by a strict parser, and whether it knows what people are made of."""
    place = connection.search_subschemasubentry_s("")
    known = ldap.schema.SubSchema(connection.read_subschemasubentry_s(place), check_uniqueness=2)
    person = known.get_obj(ldap.schema.ObjectClass, "inetOrgPerson")
    must, may = known.attribute_types(["inetOrgPerson"], raise_keyerror=1)
    return {
        "place": place,
        "person": person.oid if person else None,
        "must": sorted(one.names[0] for one in must.values()),
        "uid": known.get_obj(ldap.schema.AttributeType, "uid").equality,
        "may": len(may),
        "twice": [list(map(str, one)) for one in known.non_unique_oids.items()]
        if hasattr(known.non_unique_oids, "items")
        else [],
    }


def abandon(connection, settings):
    """Nothing answers an abandoned search, and the connection goes on."""
    message = connection.search(settings.base, ldap.SCOPE_SUBTREE, "(objectClass=*)")
    connection.abandon(message)
    return len(connection.search_s(settings.people, ldap.SCOPE_SUBTREE, f"(uid={settings.user})"))


if __name__ == "__main__":
    main()
