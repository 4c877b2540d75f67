#!/usr/bin/env bash
# Apache httpd with mod_auth_mellon as a SAML service provider. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../apache-saml/apache.sh"

apache_saml mod_auth_mellon.so libapache2-mod-auth-mellon
session_lua 'name = "mod_auth_mellon", issuer = "MELLON_IDP", name_id = "MELLON_NAME_ID", prefix = "MELLON_", numbered = true'
{
  apache_head
  cat <<CONF
LoadModule auth_mellon_module $modules/mod_auth_mellon.so
LoadModule setenvif_module $modules/mod_setenvif.so
# Else its cookie says SameSite=None, which browsers take over https only.
SetEnvIf Request_URI . MELLON_DISABLE_SAMESITE=1
MellonLockFile "$PEER_DIR/mellon.lock"
Redirect 302 /logout $origin/mellon/logout?ReturnTo=$origin/logged-out

<Location />
  MellonEndpointPath /mellon
  MellonSPentityId $origin/mellon/metadata
  MellonSPPrivateKeyFile "$PEER_DIR/keys/sp.key"
  MellonSPCertFile "$PEER_DIR/keys/sp.crt"
  MellonIdPMetadataFile "$PEER_DIR/idp-metadata.xml"
  MellonSignatureMethod rsa-sha256
  MellonVariable mellon_$PEER_PORT
  MellonUser NAME_ID
  MellonIdP IDP
  MellonEnable info
</Location>
<Location /protected>
  AuthType Mellon
  MellonEnable auth
  Require valid-user
</Location>
CONF
} >"$PEER_DIR/httpd.conf"

# -X keeps everything in this one process, with many threads.
supervise TERM apache2 -X -f "$PEER_DIR/httpd.conf"
await 30 curl -fsS --max-time 5 -o "$PEER_DIR/sp-metadata.xml" "$origin/mellon/metadata"
# Mellon can't be told to ask for artifacts: it gets one where its metadata names no other address.
if [ "${SP_RESPONSE_BINDING:-post}" = artifact ]; then
  need perl
  perl -0pi -e 's/<AssertionConsumerService[^>]*HTTP-POST[^>]*>//' "$PEER_DIR/sp-metadata.xml"
fi
announce "$origin/protected"
