"""Verifies XML signatures with signxml, as a second opinion of the tests.

Reads one JSON object a line from standard input: `xml` (base64), `certificate` (base64 of DER),
`location` (the path of the element that holds the Signature) and `schema` (whether the Signature must
fit the schema). Answers each with one line: `signed` (base64 of the canonical octets that the signature
covers), or `refused` (why).
"""

import base64
import json
import sys

from signxml import SignatureConfiguration, XMLVerifier


def main():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))))


def answer(question):
    config = SignatureConfiguration(location=question["location"])
    try:
        result = XMLVerifier().verify(
            base64.b64decode(question["xml"]),
            x509_cert=pem(question["certificate"]),
            id_attribute="ID",
            validate_schema=question["schema"],
            expect_config=config,
        )
    except Exception as error:  # Whatever it is, the document was not accepted.
        return {"refused": f"{type(error).__name__}: {error}"}
    return {"signed": base64.b64encode(result.signed_data).decode()}


def pem(der):
    lines = [der[at : at + 64] for at in range(0, len(der), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


main()
