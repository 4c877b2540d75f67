#!/usr/bin/python3
"""The synchronisation of Jira, Confluence and Crowd (Spring LDAP): everybody and every group, by pages, and logins."""

import os
import time

import ldap
from ldap.controls.libldap import SimplePagedResultsControl

from client import Settings, connect, entries, manage_dsa_it, outcome, report

PERSON = ["uid", "cn", "givenName", "sn", "displayName", "mail", "entryUUID"]
GROUP = ["cn", "description", "member", "entryUUID"]


def main():
    settings = Settings()
    size = int(os.environ.get("LDAP_PAGE_SIZE", "1000"))
    start = time.monotonic()
    connection = connect(settings)
    people = pages(connection, settings.people, "(objectclass=inetorgperson)", PERSON, size)
    groups = pages(connection, settings.groups, "(objectclass=groupOfNames)", GROUP, size)
    took = time.monotonic() - start
    ids = [fields["entryUUID"][0] for _, fields in people if "entryUUID" in fields]
    known = {dn.lower() for dn, _ in people} | {dn.lower() for dn, _ in groups}
    members = {fields["cn"][0]: [dn.lower() for dn in fields.get("member", [])] for _, fields in groups}
    report(
        {
            "people": len(people),
            "ids": len(set(ids)),
            "names": sorted(fields["uid"][0] for _, fields in people if "uid" in fields)[:50],
            "groups": len(groups),
            "memberships": sum(len(one) for one in members.values()),
            # Crowd drops members that it did not find itself.
            "unknown_members": sorted({dn for one in members.values() for dn in one if dn not in known})[:10],
            "seconds": took,
            "login": outcome(
                connect(settings, bound=False).simple_bind_s,
                next((dn for dn, fields in people if fields.get("uid") == [settings.user]), f"uid=nobody,{settings.people}"),
                settings.password,
            ),
        }
    )


def pages(connection, base, query, attributes, size):
    control = SimplePagedResultsControl(True, size=size, cookie="")
    found = []
    while True:
        message = connection.search_ext(
            base, ldap.SCOPE_SUBTREE, query, attributes, serverctrls=[control, *manage_dsa_it()]
        )
        _, data, _, controls = connection.result3(message)
        found += entries(data)
        control.cookie = next(one.cookie for one in controls if one.controlType == control.controlType)
        if not control.cookie:
            return found


if __name__ == "__main__":
    main()
