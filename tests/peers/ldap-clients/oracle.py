#!/usr/bin/python3
"""Asks two servers with the same data the same filters (one a line on standard input), and prints where they differ.

Entries whose DN begins with ORACLE_LEFT_OUT are left out of what is compared.
"""

import os
import sys

import ldap

from client import Settings, connect, report

AT_ONCE = 32
LEFT_OUT = os.environ.get("ORACLE_LEFT_OUT", "").lower()


def main():
    filters = [line.rstrip("\n") for line in sys.stdin if line.strip()]
    ours = ask(connect(Settings()), Settings().base, filters)
    theirs_at = Settings()
    theirs_at.url = os.environ["ORACLE_URL"]
    os.environ["LDAP_CA"] = os.environ["ORACLE_CA"]
    theirs_at.bind_dn = os.environ["ORACLE_BIND_DN"]
    theirs_at.bind_password = os.environ["ORACLE_BIND_PASSWORD"]
    theirs = ask(connect(theirs_at), theirs_at.base, filters)
    different = [
        {"filter": text, "ours": beyond(one, other), "theirs": beyond(other, one)}
        for text, one, other in zip(filters, ours, theirs)
        if one != other
    ]
    report(
        {
            "asked": len(filters),
            "found_something": sum(isinstance(one, list) and bool(one) for one in theirs),
            "different": len(different),
            "examples": different[:20],
        }
    )


def beyond(one, other):
    """Some of what only one has found, or its error."""
    if isinstance(one, str) or isinstance(other, str):
        return one if isinstance(one, str) else f"{len(one)} entries"
    return [dn for dn in one if dn not in other][:3]


def ask(connection, base, filters):
    """The DNs that each finds, in order, or the name of an error; so many are on the way at once."""
    answers, waiting = [], []
    for text in filters:
        try:
            waiting.append(connection.search(base, ldap.SCOPE_SUBTREE, text, ["1.1"]))
        except ldap.LDAPError as error:
            waiting.append(type(error).__name__)
        if len(waiting) == AT_ONCE:
            answers += [answer(connection, one) for one in waiting]
            waiting = []
    return answers + [answer(connection, one) for one in waiting]


def answer(connection, message):
    if isinstance(message, str):
        return message
    try:
        found = [dn.lower() for dn, _ in connection.result(message)[1] if dn]
        return sorted(dn for dn in found if not (LEFT_OUT and dn.startswith(LEFT_OUT)))
    except ldap.LDAPError as error:
        return type(error).__name__


if __name__ == "__main__":
    main()
