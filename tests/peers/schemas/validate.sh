#!/usr/bin/env bash
# Checks a SAML document against the OASIS schemas, without the network: validate.sh metadata|protocol FILE
set -euo pipefail

hint='run scripts/install-deps.sh test'
case "${1:-}" in metadata | protocol) ;; *) set -- ;; esac
if [ $# != 2 ]; then
  echo "usage: validate.sh metadata|protocol FILE" >&2
  exit 2
fi
command -v xmllint >/dev/null || { echo "xmllint is missing: $hint" >&2; exit 3; }
schemas=/usr/share/xml/opensaml
[ -e "$schemas/saml-schema-$1-2.0.xsd" ] || { echo "opensaml-schemas is missing: $hint" >&2; exit 3; }
[ -e /usr/share/xml/xmltooling/catalog.xml ] || { echo "xmltooling-schemas is missing: $hint" >&2; exit 3; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export XML_CATALOG_FILES="file://$here/catalog.xml"
if ! complaints=$(xmllint --nonet --noout --schema "$schemas/saml-schema-$1-2.0.xsd" "$2" 2>&1); then
  # That a schema was asked for twice is no complaint about the file.
  grep -v 'Skipping import of schema' <<<"$complaints" >&2
  exit 1
fi
