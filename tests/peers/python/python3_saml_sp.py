"""A SAML service provider on python3-saml. Its addresses and settings are in ../README.md."""

import os

from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from web import ORIGIN, PORT, Answer, as_json, new_key, peer_file, pem_body, redirect, serve

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

want = os.environ.get("SP_WANT", "both")
settings = OneLogin_Saml2_IdPMetadataParser.merge_settings(
    {
        "strict": True,
        "debug": True,
        "sp": {
            "entityId": f"{ORIGIN}/metadata",
            "assertionConsumerService": {"url": f"{ORIGIN}/acs", "binding": POST},
            "singleLogoutService": {"url": f"{ORIGIN}/slo", "binding": REDIRECT},
            "NameIDFormat": os.environ.get("SP_NAMEID_FORMAT") or "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
            "x509cert": pem_body("keys/sp.crt"),
            "privateKey": peer_file("keys/sp.key"),
        },
        "security": {
            "authnRequestsSigned": True,
            "logoutRequestSigned": True,
            "logoutResponseSigned": True,
            "wantMessagesSigned": want != "assertion",
            "wantAssertionsSigned": want != "response",
            "wantAssertionsEncrypted": os.environ.get("SP_WANT_ENCRYPTED") == "1",
            "requestedAuthnContext": False,
            "signatureAlgorithm": RSA_SHA256,
            "digestAlgorithm": SHA256,
            "rejectDeprecatedAlgorithm": True,
        },
    },
    OneLogin_Saml2_IdPMetadataParser.parse(
        peer_file("idp-metadata.xml"), required_sso_binding=REDIRECT, required_slo_binding=REDIRECT
    ),
)

asked = set()  # IDs of our AuthnRequests and LogoutRequests
sessions = {}  # cookie -> what the login told


def auth_for(request):
    return OneLogin_Saml2_Auth(
        {
            "https": "off",
            "http_host": f"127.0.0.1:{PORT}",
            "script_name": request.path,
            "get_data": request.query,
            "post_data": request.form,
            "query_string": request.query_string,
            "validate_signature_from_qs": True,
        },
        settings,
    )


def home(request):
    if request.cookie in sessions:
        return as_json(sessions[request.cookie])
    auth = auth_for(request)
    target = auth.login(return_to="/")
    asked.add(auth.get_last_request_id())
    return redirect(target)


def session(request):
    known = sessions.get(request.cookie)
    return as_json(known) if known else as_json({"error": "not_logged_in"}, 401)


def metadata(_request):
    ours = OneLogin_Saml2_Settings(settings, sp_validation_only=True)
    text = ours.get_sp_metadata()
    return Answer(200, text.decode() if isinstance(text, bytes) else text, "application/samlmetadata+xml")


def acs(request):
    auth = auth_for(request)
    # The library compares with one ID, which an application keeps with the browser; here all are kept.
    auth.process_response()
    answered = auth.get_last_response_in_response_to()
    if auth.get_errors() or not auth.is_authenticated():
        return as_json({"error": auth.get_errors(), "error_description": auth.get_last_error_reason()}, 400)
    if answered is not None:
        asked.remove(answered)
    key = new_key()
    sessions[key] = {
        "peer": "python3-saml",
        "issuer": settings["idp"]["entityId"],
        "name_id": auth.get_nameid(),
        "name_id_format": auth.get_nameid_format(),
        "name_qualifier": auth.get_nameid_nq(),
        "sp_name_qualifier": auth.get_nameid_spnq(),
        "session_index": auth.get_session_index(),
        "attributes": auth.get_attributes(),
    }
    return redirect(f"{ORIGIN}/").starting_session(key)


def logout(request):
    known = sessions.pop(request.cookie, None)
    if known is None:
        return as_json({"error": "not_logged_in"}, 401)
    auth = auth_for(request)
    target = auth.logout(
        return_to=f"{ORIGIN}/logged-out",
        name_id=known["name_id"],
        session_index=known["session_index"],
        nq=known["name_qualifier"],
        spnq=known["sp_name_qualifier"],
        name_id_format=known["name_id_format"],
    )
    asked.add(auth.get_last_request_id())
    return redirect(target)


def slo(request):
    auth = auth_for(request)
    target = auth.process_slo(delete_session_cb=lambda: sessions.pop(request.cookie, None))
    if auth.get_errors():
        return as_json({"error": auth.get_errors(), "error_description": auth.get_last_error_reason()}, 400)
    return redirect(target or f"{ORIGIN}/logged-out")


serve(
    {
        "GET /": home,
        "GET /session": session,
        "GET /metadata": metadata,
        "POST /acs": acs,
        "GET /logout": logout,
        "GET /slo": slo,
        "GET /logged-out": lambda _: as_json({"logged_out": True}),
    }
)
