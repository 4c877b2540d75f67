"""A SAML identity provider on pysaml2. Its addresses and settings are in ../README.md."""

import base64
import functools
import hashlib
import html
import json
import os
import re
import secrets
import threading
from urllib.request import urlopen

import saml2.entity
from saml2 import BINDING_HTTP_ARTIFACT, BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, BINDING_SOAP, class_name
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.pack import make_soap_enveloped_saml_thingy
from saml2.s_utils import success_status_factory
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NAMEID_FORMAT_TRANSIENT, NameID
from saml2.samlp import ArtifactResponse
from saml2.server import Server
from saml2.sigver import CryptoBackendXmlSec1, pre_encryption_part, pre_signature_part
from saml2.time_util import in_a_while
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from web import ORIGIN, PEER_DIR, Answer, as_json, new_key, peer_file, redirect, serve

# It can only write Triple DES, unless its two defaults are changed.
saml2.entity.pre_encryption_part = functools.partial(
    pre_encryption_part, msg_enc="http://www.w3.org/2009/xmlenc11#aes256-gcm"
)
encrypt_assertion = CryptoBackendXmlSec1.encrypt_assertion


def encrypt_with_aes_256(crypto, statement, certificate, template, _key_type="des-192", *more, **named):
    return encrypt_assertion(crypto, statement, certificate, template, "aes-256", *more, **named)


CryptoBackendXmlSec1.encrypt_assertion = encrypt_with_aes_256

PEOPLE = {
    name: {"uid": [name], "mail": [f"{name}@acme.example"], "displayName": [shown], "memberOf": groups}
    for name, shown, groups in [
        ("alice", "Alice Archer", ["employees", "admins"]),
        ("bob", 'Bob "Bobby" Bäcker', ["employees"]),
    ]
}
FORMATS = {"persistent": NAMEID_FORMAT_PERSISTENT, "transient": NAMEID_FORMAT_TRANSIENT}


def knob(name, default=""):
    """A setting: PEER_DIR/knobs.json wins over the environment."""
    try:
        overrides = json.loads(peer_file("knobs.json"))
    except FileNotFoundError:
        overrides = {}
    value = overrides.get(name, os.environ.get(name) or default)
    return ("1" if value else "0") if isinstance(value, bool) else str(value)


lock = threading.RLock()
servers = {}  # digest of the SP's metadata -> Server
waiting = {}  # key of a login form -> what to answer afterwards
artifacts = {}  # artifact -> the Response as text, until it is fetched
sessions = {}  # cookie -> {"user", "parties": {entity ID of an SP: (NameID, SessionIndex)}}


def sp_metadata():
    if knob("SP_METADATA_FILE"):
        with open(knob("SP_METADATA_FILE"), encoding="utf-8") as file:
            return file.read()
    if not knob("SP_METADATA_URL"):
        return None
    with urlopen(knob("SP_METADATA_URL"), timeout=3) as answer:  # noqa: S310 - loopback, chosen by the test
        return answer.read().decode("utf-8")


def server(with_sp=True):
    """The identity provider that knows the SP as its metadata is now."""
    text = sp_metadata() if with_sp else None
    digest = hashlib.sha256((text or "").encode()).hexdigest()
    with lock:
        if digest not in servers:
            servers[digest] = Server(config=config(text))
        return servers[digest]


def config(sp_text):
    key, certificate = f"{PEER_DIR}/keys/idp.key", f"{PEER_DIR}/keys/idp.crt"
    both = [BINDING_HTTP_REDIRECT, BINDING_HTTP_POST]
    logout = [(f"{ORIGIN}/slo", binding) for binding in both]
    if knob("IDP_SOAP_LOGOUT") == "1":
        logout.insert(0, (f"{ORIGIN}/slo", BINDING_SOAP))
    return IdPConfig().load(
        {
            "entityid": f"{ORIGIN}/metadata",
            "key_file": key,
            "cert_file": certificate,
            "metadata": {"inline": [sp_text]} if sp_text else {},
            "accepted_time_diff": 5,
            "signing_algorithm": SIG_RSA_SHA256,
            "digest_algorithm": DIGEST_SHA256,
            "service": {
                "idp": {
                    "endpoints": {
                        "single_sign_on_service": [(f"{ORIGIN}/sso", binding) for binding in both],
                        "single_logout_service": logout,
                        "artifact_resolution_service": [(f"{ORIGIN}/artifact", BINDING_SOAP)],
                    },
                    "name_id_format": list(FORMATS.values()),
                    "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}},
                    "logout_requests_signed": True,
                }
            },
        }
    )


def sso_redirect(request):
    return sso(request.query, BINDING_HTTP_REDIRECT, request)


def sso_post(request):
    return sso(request.form, BINDING_HTTP_POST, request)


def sso(message, binding, request):
    idp = server()
    asked = idp.parse_authn_request(
        message["SAMLRequest"],
        binding,
        relay_state=message.get("RelayState"),
        sigalg=message.get("SigAlg"),
        signature=message.get("Signature"),
    ).message
    target, to = idp.pick_binding(
        "assertion_consumer_service", [BINDING_HTTP_POST, BINDING_HTTP_ARTIFACT], request=asked
    )
    return log_in({"to": to, "binding": target, "sp": asked.issuer.text, "in_response_to": asked.id,
                   "relay_state": message.get("RelayState", "")}, request)


def start(request):
    """A login that nobody asked for."""
    (sp,) = server().metadata.service_providers()
    target, to = server().pick_binding("assertion_consumer_service", [BINDING_HTTP_POST], entity_id=sp)
    return log_in({"to": to, "binding": target, "sp": sp, "in_response_to": None,
                   "relay_state": request.query.get("RelayState", "")}, request)


def log_in(login, request):
    if request.cookie in sessions:
        return answer(login, sessions[request.cookie])
    key = new_key()
    waiting[key] = login
    return Answer(200, f"""<!doctype html><title>Log in</title>
<form method="post" action="{ORIGIN}/login"><input type="hidden" name="key" value="{html.escape(key)}">
<input name="username"><input name="password" type="password"><button>Log in</button></form>""")


def login_form(request):
    user = request.form.get("username")
    if user not in PEOPLE or request.form.get("password") != f"{user}-password":
        return Answer(403, "wrong user name or password")
    login = waiting.pop(request.form["key"])
    cookie = new_key()
    sessions[cookie] = {"user": user, "parties": {}}
    return answer(login, sessions[cookie]).starting_session(cookie)


def answer(login, session):
    idp, sign = server(), knob("IDP_SIGN", "assertion")
    format_ = FORMATS[knob("IDP_NAMEID_FORMAT", "persistent")]
    name_id = NameID(format=format_, text=session["user"] if format_ == NAMEID_FORMAT_PERSISTENT else new_key(),
                     name_qualifier=f"{ORIGIN}/metadata", sp_name_qualifier=login["sp"])
    by_artifact = login["binding"] == BINDING_HTTP_ARTIFACT
    response = idp.create_authn_response(
        PEOPLE[session["user"]],
        login["in_response_to"],
        login["to"],
        login["sp"],
        userid=session["user"],
        name_id=name_id,
        authn={"class_ref": PASSWORDPROTECTEDTRANSPORT, "authn_auth": f"{ORIGIN}/metadata"},
        sign_assertion=sign in ("assertion", "both"),
        sign_response=sign in ("response", "both"),
        encrypt_assertion=knob("IDP_ENCRYPT", "0") == "1",
        sign_alg=SIG_RSA_SHA256,
        digest_alg=DIGEST_SHA256,
    )
    index = session_index(idp, name_id)
    session["parties"][login["sp"]] = (name_id, index)
    if by_artifact:
        artifact = new_artifact()
        artifacts[artifact] = str(response).split("?>")[-1]
        info = idp.apply_binding(BINDING_HTTP_ARTIFACT, artifact, login["to"], login["relay_state"], response=True)
        return redirect(info["url"])
    return sent(idp.apply_binding(BINDING_HTTP_POST, str(response), login["to"], login["relay_state"], response=True))


def new_artifact():
    """An artifact of type 4 for the first resolution service. pysaml2 would write the index as two digits of ASCII."""
    source = hashlib.sha1(f"{ORIGIN}/metadata".encode()).digest()
    return base64.b64encode(b"\x00\x04" + (1).to_bytes(2, "big") + source + secrets.token_bytes(20)).decode()


def session_index(idp, name_id):
    statements = idp.session_db.get_authn_statements(name_id)
    return statements[-1][0].session_index if statements else None


def artifact(request):
    """Gives the Response of an artifact, once. It goes in as text: pysaml2 would write its namespaces anew."""
    idp = server()
    asked = idp.parse_artifact_resolve(request.body)
    response = idp._status_response(ArtifactResponse, None, success_status_factory(), in_response_to=asked.id)
    response.signature = pre_signature_part(
        response.id, idp.sec.my_cert, 1, sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256
    )
    text, message = str(response), artifacts.pop(asked.artifact.text, "")
    end = text.rindex("</")
    signed = idp.sec.sign_statement(text[:end] + message + text[end:], class_name(response), node_id=response.id)
    return Answer(200, str(make_soap_enveloped_saml_thingy(signed)), "text/xml; charset=utf-8")


def slo_redirect(request):
    return slo(request.query, BINDING_HTTP_REDIRECT)


def slo_post(request):
    return slo_soap(request) if request.body.startswith("<") else slo(request.form, BINDING_HTTP_POST)


def slo(message, binding):
    if "SAMLResponse" in message:
        told = server().parse_logout_request_response(message["SAMLResponse"], binding)
        return as_json({"logged_out": True, "status": told.response.status.status_code.value})
    info = ended_by_sp(message["SAMLRequest"], binding, message)
    return sent(info)


def slo_soap(request):
    """Takes the message out of SOAP as text: pysaml2 would write its namespaces anew, and find its signature broken."""
    text = re.search(r"<(?:\w+:)?LogoutRequest\b.*</(?:\w+:)?LogoutRequest>", request.body, re.DOTALL)[0]
    message = base64.b64encode(text.encode()).decode()
    return Answer(200, ended_by_sp(message, BINDING_SOAP, {})["data"], "text/xml; charset=utf-8")


def ended_by_sp(text, binding, message):
    idp = server()
    form = BINDING_HTTP_POST if binding == BINDING_SOAP else binding
    asked = idp.parse_logout_request(
        text, form, relay_state=message.get("RelayState"), sigalg=message.get("SigAlg"), signature=message.get("Signature")
    ).message
    for cookie, session in list(sessions.items()):
        if any(name_id == asked.name_id for name_id, _ in session["parties"].values()):
            del sessions[cookie]
    if binding == BINDING_SOAP:
        response = idp.create_logout_response(
            asked, bindings=[BINDING_SOAP], sign=True, sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256
        )
        return {"data": str(make_soap_enveloped_saml_thingy(str(response)))}
    bindings = [BINDING_HTTP_REDIRECT, BINDING_HTTP_POST]
    to = idp.response_args(asked, bindings)
    by_redirect = to["binding"] == BINDING_HTTP_REDIRECT
    response = idp.create_logout_response(
        asked, bindings=bindings, sign=not by_redirect, sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256
    )
    return idp.apply_binding(to["binding"], str(response), to["destination"], message.get("RelayState", ""),
                             response=True, sign=by_redirect, sigalg=SIG_RSA_SHA256)


def logout(request):
    """A logout that starts here: tells the one SP, by the browser or by SOAP."""
    session = sessions.pop(request.cookie, None)
    if session is None or not session["parties"]:
        return as_json({"error": "not_logged_in"}, 401)
    idp = server()
    ((sp, (name_id, index)),) = session["parties"].items()
    wanted = {"redirect": BINDING_HTTP_REDIRECT, "post": BINDING_HTTP_POST, "soap": BINDING_SOAP}[knob("IDP_LOGOUT_BY", "redirect")]
    binding, to = idp.pick_binding("single_logout_service", [wanted], "spsso", entity_id=sp)
    by_redirect = binding == BINDING_HTTP_REDIRECT
    _, asked = idp.create_logout_request(
        to, sp, name_id=name_id, session_indexes=[index] if index else None, expire=in_a_while(minutes=5),
        sign=not by_redirect, sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256,
    )
    info = idp.apply_binding(binding, str(asked), to, "", sign=by_redirect, sigalg=SIG_RSA_SHA256)
    if binding == BINDING_SOAP:
        told = idp.send(**info)
        return as_json({"logged_out": told.status_code == 200, "answer": told.text}, told.status_code)
    return sent(info)


def sent(info):
    if info["method"] == "GET":
        return redirect(dict(info["headers"])["Location"])
    return Answer(200, info["data"])


def metadata(_request):
    return Answer(200, str(entity_descriptor(config(None))), "application/samlmetadata+xml")


serve(
    {
        "GET /metadata": metadata,
        "GET /sso": sso_redirect,
        "POST /sso": sso_post,
        "GET /start": start,
        "POST /login": login_form,
        "POST /artifact": artifact,
        "GET /slo": slo_redirect,
        "POST /slo": slo_post,
        "GET /logout": logout,
        "GET /sessions": lambda _: as_json({"people": sorted(session["user"] for session in sessions.values())}),
    }
)
