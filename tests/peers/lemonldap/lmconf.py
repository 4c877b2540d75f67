"""LemonLDAP::NG's three files, written into PEER_DIR: one portal with its own people, one relying party."""
import json
import os
import subprocess
from pathlib import Path

folder = Path(os.environ["PEER_DIR"])
address = "http://127.0.0.1:" + os.environ["PEER_PORT"]
relying_party = os.environ["RP_ADDRESS"] + "/oidc"
templates = "/usr/share/lemonldap-ng/portal"


def main():
    for name in ["conf", "cache", "sessions/lock", "psessions/lock", "oidc/lock"]:
        (folder / name).mkdir(parents=True, exist_ok=True)
    private = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    public = openssl("pkey", "-pubout", given=private)
    (folder / "conf/lmConf-1.json").write_text(json.dumps(configuration(private, public), indent=1))
    (folder / "lemonldap-ng.ini").write_text(INI.format(folder=folder, templates=templates))
    (folder / "portal.psgi").write_text(PSGI.format(templates=templates))


def configuration(private, public):
    return {
        "cfgNum": 1,
        "cfgAuthor": "test",
        "cfgDate": "1700000000",
        # People of its own: dwho, rtyler and msmith, whose passwords are their names.
        "authentication": "Demo",
        "userDB": "Same",
        "passwordDB": "Null",
        "registerDB": "Null",
        "demoExportedVars": {"cn": "cn", "mail": "mail", "uid": "uid"},
        "exportedVars": {},
        "portal": address + "/",
        "domain": "127.0.0.1",
        # Cookies don't tell ports apart.
        "cookieName": "lemonldap_" + os.environ["PEER_PORT"],
        "securedCookie": 0,
        "cookieExpiration": 0,
        "globalStorage": "Apache::Session::File",
        "globalStorageOptions": sessions("sessions"),
        "persistentStorage": "Apache::Session::File",
        "persistentStorageOptions": sessions("psessions"),
        "oidcStorage": "Apache::Session::File",
        "oidcStorageOptions": sessions("oidc"),
        "localSessionStorage": "Cache::FileCache",
        "localSessionStorageOptions": {
            "cache_root": str(folder / "cache"),
            "namespace": "s",
            "default_expires_in": 600,
            "directory_umask": "007",
            "cache_depth": 3,
        },
        "key": os.urandom(16).hex(),
        "locationRules": {"127.0.0.1": {"default": "accept"}},
        "exportedHeaders": {},
        "groups": {},
        "macros": {"_whatToTrace": "$_user"},
        "whatToTrace": "_whatToTrace",
        "timeout": 72000,
        "portalDisplayRegister": 0,
        "portalDisplayResetPassword": 0,
        "portalDisplayChangePassword": 0,
        "loginHistoryEnabled": 0,
        "requireToken": 0,
        "bruteForceProtection": 0,
        "notification": 0,
        "issuerDBOpenIDConnectActivation": 1,
        "issuerDBOpenIDConnectPath": "^/oauth2/",
        "issuerDBOpenIDConnectRule": 1,
        "oidcServiceMetaDataIssuer": address,
        "oidcServicePrivateKeySig": private,
        "oidcServicePublicKeySig": public,
        "oidcServiceKeyIdSig": "lemonldap",
        "oidcServiceAllowAuthorizationCodeFlow": 1,
        "oidcServiceAllowImplicitFlow": 0,
        "oidcServiceAllowHybridFlow": 0,
        "oidcServiceAllowOffline": 1,
        "oidcRPMetaDataExportedVars": {
            "bridge": {"email": "mail", "name": "cn", "preferred_username": "uid", "groups": "groups;string;always"},
            "probe": {},
        },
        "oidcRPMetaDataOptionsExtraClaims": {"bridge": {"groups": "groups"}},
        "oidcRPMetaDataOptions": {"bridge": bridge(), "probe": probe()},
    }


def bridge():
    return options(
        ClientID=os.environ["CLIENT_ID"],
        ClientSecret=os.environ["CLIENT_SECRET"],
        RedirectUris=relying_party + "/callback",
        PostLogoutRedirectUris=relying_party + "/logged-out",
        BypassConsent=1,
        # A person who comes with an ID token of theirs isn't asked whether they meant it.
        LogoutBypassConfirm=1,
        IDTokenSignAlg="RS256",
        UserIDAttr="uid",
        RefreshToken=1,
        AllowOffline=1,
        RequirePKCE=1,
        LogoutUrl=relying_party + "/frontchannel-logout",
        LogoutType="front",
        LogoutSessionRequired=1,
    )


# A client that only asks, with prompt=none, whether somebody is logged in. Nobody listens at its address.
def probe():
    return options(
        ClientID="probe",
        Public=1,
        RedirectUris="http://127.0.0.1:9/probe",
        BypassConsent=1,
        IDTokenSignAlg="RS256",
        UserIDAttr="uid",
    )


def options(**given):
    return {"oidcRPMetaDataOptions" + name: value for name, value in given.items()}


def sessions(name):
    return {
        "Directory": str(folder / name),
        "LockDirectory": str(folder / name / "lock"),
        "generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256",
    }


def openssl(*arguments, given=""):
    done = subprocess.run(["openssl", *arguments], input=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return done.stdout


INI = """[all]
logLevel = info
logger = Lemonldap::NG::Common::Logger::Std
checkTime = 3600
[configuration]
type = File
dirName = {folder}/conf
localStorage = Cache::FileCache
localStorageOptions = {{ 'namespace' => 'c', 'default_expires_in' => 600, 'directory_umask' => '007', 'cache_root' => '{folder}/cache', 'cache_depth' => 3 }}
[portal]
staticPrefix = /static
templateDir = {templates}/templates
languages = en
"""

PSGI = """use Plack::Builder;
use Lemonldap::NG::Portal::Main;
my $portal = Lemonldap::NG::Portal::Main->run({{}});
builder {{
    enable 'Static', path => sub {{ s!^/static/!! }}, root => '{templates}/htdocs/static';
    $portal;
}};
"""

main()
