"""Fills a freshly provisioned domain, in its files: people, groups, and one account for each reason to be refused."""

import sys

import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

DOMAIN = "DC=ad,DC=example,DC=test"


def main(folder):
    settings = LoadParm()
    settings.load(f"{folder}/etc/smb.conf")
    database = SamDB(url=f"{folder}/private/sam.ldb", session_info=system_session(), lp=settings)
    database.transaction_start()
    for name in ("Company", "People,OU=Company", "Groups,OU=Company", "Services,OU=Company", "Elsewhere"):
        database.create_ou(f"OU={name},{DOMAIN}")
    people(database)
    groups(database)
    database.transaction_commit()


def people(database):
    person(database, "bridge", unit="OU=Services,OU=Company")
    person(database, "alice", "Alice", "Archer")
    person(database, "bob", "Bob", "Bäcker")
    person(database, "carol", "Carol", "Contractor", mail=False)
    person(database, "olga", "Olga", "Outside", unit="OU=Elsewhere")
    # Guessing passwords locks an account, so tests that guess have one each.
    for number in range(1, 9):
        person(database, f"guess{number}", "Guess", f"Number {number}")
    # Each is refused for the reason that it is named after.
    person(database, "disabled", changes={"userAccountControl": "514"})
    person(database, "mustchange", changes={"pwdLastSet": "0"})
    person(database, "expired", changes={"accountExpires": "116444736010000000"})
    person(database, "workstation", changes={"userWorkstations": "OTHERBOX"})
    # No hour of the week: 21 octets, one bit an hour.
    person(database, "hours", changes={"logonHours": b"\0" * 21})


def person(database, name, given=None, surname=None, unit="OU=People,OU=Company", mail=True, changes=None):
    database.newuser(
        name,
        f"{name}-password",
        userou=unit,
        givenname=given or name.capitalize(),
        surname=surname or "Example",
        mailaddress=f"{name}@ad.example.test" if mail else None,
        useusernameascn=True,
        setpassword=True,
    )
    dn = f"CN={name},{unit},{DOMAIN}"
    fields = {"userPrincipalName": f"{name}@ad.example.test", "displayName": f"{given or name} {surname or 'Example'}"}
    fields.update(changes or {})
    message = ldb.Message(ldb.Dn(database, dn))
    for attribute, value in fields.items():
        message[attribute] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, attribute)
    database.modify(message)


def groups(database):
    group(database, "employees", ["alice", "bob", "disabled", "mustchange", "expired", "workstation", "hours"])
    group(database, "admins", ["alice"])
    group(database, "staff", ["employees"])
    for level in range(1, 7):
        group(database, f"level-{level}", ["bob"] if level == 1 else [f"level-{level - 1}"])
    group(database, "circle-a", ["bob"])
    group(database, "circle-b", ["circle-a"])
    database.add_remove_group_members("circle-a", ["circle-b"], add_members_operation=True)


def group(database, name, members):
    database.newgroup(name, groupou="OU=Groups,OU=Company")
    database.add_remove_group_members(name, members, add_members_operation=True)


if __name__ == "__main__":
    main(sys.argv[1])
