"""A SAML service provider on pysaml2. Its addresses and settings are in ../README.md."""

import os

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.metadata import entity_descriptor
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from web import ORIGIN, PEER_DIR, Answer, as_json, new_key, redirect, serve

want = os.environ.get("SP_WANT", "both")
key, certificate = f"{PEER_DIR}/keys/sp.key", f"{PEER_DIR}/keys/sp.crt"
# Not over SOAP: pysaml2 writes the message's namespaces anew there, and then finds its signature broken.
logout_endpoints = [(f"{ORIGIN}/slo", BINDING_HTTP_REDIRECT), (f"{ORIGIN}/slo", BINDING_HTTP_POST)]

config = SPConfig().load(
    {
        "entityid": f"{ORIGIN}/metadata",
        "key_file": key,
        "cert_file": certificate,
        "encryption_keypairs": [{"key_file": key, "cert_file": certificate}],
        "metadata": {"local": [f"{PEER_DIR}/idp-metadata.xml"]},
        "accepted_time_diff": 5,
        "allow_unknown_attributes": True,
        "signing_algorithm": SIG_RSA_SHA256,
        "digest_algorithm": DIGEST_SHA256,
        "service": {
            "sp": {
                "endpoints": {
                    "assertion_consumer_service": [(f"{ORIGIN}/acs", BINDING_HTTP_POST)],
                    "single_logout_service": logout_endpoints,
                },
                "name_id_format": os.environ.get("SP_NAMEID_FORMAT") or None,
                "authn_requests_signed": True,
                "logout_requests_signed": True,
                "logout_responses_signed": True,
                "want_assertions_signed": want != "response",
                "want_response_signed": want != "assertion",
                "allow_unsolicited": False,
            }
        },
    }
)
client = Saml2Client(config=config)
(idp,) = client.metadata.identity_providers()

outstanding = {}  # ID of an AuthnRequest -> where the person wanted to go
sessions = {}  # cookie -> (what the login told, the NameID)


def home(request):
    if request.cookie in sessions:
        return as_json(sessions[request.cookie][0])
    request_id, _, info = client.prepare_for_negotiated_authenticate(
        entityid=idp, relay_state="/", binding=BINDING_HTTP_REDIRECT, sign=True, sigalg=SIG_RSA_SHA256
    )
    outstanding[request_id] = "/"
    return sent(info)


def session(request):
    known = sessions.get(request.cookie)
    return as_json(known[0]) if known else as_json({"error": "not_logged_in"}, 401)


def metadata(_request):
    return Answer(200, str(entity_descriptor(config)), "application/samlmetadata+xml")


def acs(request):
    told = client.parse_authn_request_response(request.form["SAMLResponse"], BINDING_HTTP_POST, outstanding)
    outstanding.pop(told.in_response_to, None)
    name_id = told.name_id
    statements = told.assertion.authn_statement
    shown = {
        "peer": "pysaml2",
        "issuer": told.issuer(),
        "name_id": name_id.text,
        "name_id_format": name_id.format,
        "name_qualifier": name_id.name_qualifier,
        "sp_name_qualifier": name_id.sp_name_qualifier,
        "session_index": statements[0].session_index if statements else None,
        "attributes": told.ava,
    }
    cookie = new_key()
    sessions[cookie] = (shown, name_id)
    return redirect(f"{ORIGIN}/").starting_session(cookie)


def logout(request):
    known = sessions.pop(request.cookie, None)
    if known is None:
        return as_json({"error": "not_logged_in"}, 401)
    # By redirect, so that the browser sees it.
    answers = client.do_logout(
        known[1], [idp], "", None, sign=True, sign_alg=SIG_RSA_SHA256, expected_binding=BINDING_HTTP_REDIRECT
    )
    _, info = answers[idp]
    return sent(info)


def slo_redirect(request):
    return slo(request.query, BINDING_HTTP_REDIRECT)


def slo_post(request):
    return slo(request.form, BINDING_HTTP_POST)


def slo(message, binding):
    if "SAMLResponse" in message:
        answer = client.parse_logout_request_response(message["SAMLResponse"], binding)
        client.handle_logout_response(answer)
        return redirect(f"{ORIGIN}/logged-out")
    info = ended_by_idp(
        message["SAMLRequest"],
        binding,
        message.get("RelayState", ""),
        message.get("SigAlg"),
        message.get("Signature"),
    )
    return sent(info)


def ended_by_idp(text, binding, relay_state, algorithm, signature):
    """Ends all sessions of the request's NameID that the request's indexes allow, and gives the answer to send."""
    message = client.parse_logout_request(
        text, binding, relay_state=relay_state, sigalg=algorithm, signature=signature
    ).message
    indexes = {index.text for index in message.session_index}
    name_id = message.name_id
    for cookie, (shown, known) in list(sessions.items()):
        if known == message.name_id and (not indexes or shown["session_index"] in indexes):
            del sessions[cookie]
            name_id = known
    return client.handle_logout_request(
        text,
        name_id,
        binding,
        sign=True,
        sign_alg=SIG_RSA_SHA256,
        digest_alg=DIGEST_SHA256,
        relay_state=relay_state,
        sigalg=algorithm,
        signature=signature,
    )


def sent(info):
    if info["method"] == "GET":
        return redirect(dict(info["headers"])["Location"])
    return Answer(200, info["data"])


serve(
    {
        "GET /": home,
        "GET /session": session,
        "GET /metadata": metadata,
        "POST /acs": acs,
        "GET /logout": logout,
        "GET /slo": slo_redirect,
        "POST /slo": slo_post,
        "GET /logged-out": lambda _: as_json({"logged_out": True}),
    }
)
