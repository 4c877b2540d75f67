#!/usr/bin/env bash
# Apache httpd with mod_shib and a shibd of its own as a SAML service provider. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../apache-saml/apache.sh"

apache_saml mod_shib.so libapache2-mod-shib
need shibd
need_path /etc/shibboleth/protocols.xml shibboleth-sp-common
# A Unix socket's path has at most 107 octets.
if [ ${#PEER_DIR} -gt 90 ]; then
  echo "PEER_DIR is too long for shibd's socket: $PEER_DIR" >&2
  exit 2
fi
session_lua 'name = "mod_shib", issuer = "Shib-Identity-Provider", name_id = "name-id", session_index = "Shib-Session-Index", prefix = "", numbered = false'

# The index that it gives to its address for artifacts; it fetches what is behind one over plain http then.
case "${SP_RESPONSE_BINDING:-post}" in
  post) asks='' ;;
  artifact) asks=' acsIndex="3"' ;;
  *) echo "SP_RESPONSE_BINDING is neither post nor artifact" >&2; exit 2 ;;
esac
# What was fetched for this start, or what shibd fetches by itself each second.
metadata="path=\"$PEER_DIR/idp-metadata.xml\""
if [ -n "${SP_REFRESH:-}" ]; then
  metadata="url=\"$IDP_METADATA_URL?$SP_REFRESH\" backingFilePath=\"$PEER_DIR/shib/idp-metadata.xml\" minRefreshDelay=\"1\" maxRefreshDelay=\"1\""
fi
idp=$(sed -n 's/.*entityID="\([^"]*\)".*/\1/p' "$PEER_DIR/idp-metadata.xml" | head -n 1)
mkdir -p "$PEER_DIR/shib"
logger() { # logger NAME: everything of one of the two programs into one file
  printf 'log4j.rootCategory=%s, file\nlog4j.appender.file=org.apache.log4j.FileAppender\nlog4j.appender.file.fileName=%s\nlog4j.appender.file.layout=org.apache.log4j.PatternLayout\nlog4j.appender.file.layout.ConversionPattern=%%d{%%H:%%M:%%S} %%p %%c: %%m%%n\n' \
    "${SHIBD_LOG_LEVEL:-INFO}" "$PEER_DIR/shib/$1.log" >"$PEER_DIR/shib/$1.logger"
}
logger shibd
logger native

{
  echo '<Attributes xmlns="urn:mace:shibboleth:2.0:attribute-map" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
  for format in 2.0:nameid-format:persistent 2.0:nameid-format:transient 1.1:nameid-format:emailAddress 1.1:nameid-format:unspecified; do
    echo "<Attribute name=\"urn:oasis:names:tc:SAML:$format\" id=\"name-id\"><AttributeDecoder xsi:type=\"NameIDAttributeDecoder\" formatter=\"\$Name\"/></Attribute>"
  done
  for name in $SP_ATTRIBUTES; do
    for format in basic uri unspecified; do
      echo "<Attribute name=\"$name\" nameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:$format\" id=\"$name\"/>"
    done
  done
  echo '</Attributes>'
} >"$PEER_DIR/shib/attribute-map.xml"

cat >"$PEER_DIR/shib/shibboleth2.xml" <<CONF
<SPConfig xmlns="urn:mace:shibboleth:3.0:native:sp:config" clockSkew="180">
  <OutOfProcess logger="$PEER_DIR/shib/shibd.logger"/>
  <InProcess logger="$PEER_DIR/shib/native.logger"/>
  <UnixListener address="$PEER_DIR/shib/socket"/>
  <ApplicationDefaults entityID="$origin/shibboleth" REMOTE_USER="name-id" signing="true" requireConfidentiality="false">
    <Sessions lifetime="28800" timeout="3600" relayState="ss:mem" checkAddress="false" handlerSSL="false"
              cookieProps="; path=/; HttpOnly" redirectLimit="exact">
      <SSO entityID="$idp"$asks>SAML2</SSO>
      <Logout asynchronous="${SP_ASYNCHRONOUS_LOGOUT:-false}">SAML2 Local</Logout>
      <Handler type="MetadataGenerator" Location="/Metadata" signing="false"/>
      <Handler type="Status" Location="/Status" acl="127.0.0.1"/>
    </Sessions>
    <Errors supportContact="root@localhost"/>
    <MetadataProvider type="XML" validate="true" $metadata/>
    <AttributeExtractor type="XML" validate="true" path="$PEER_DIR/shib/attribute-map.xml"/>
    <CredentialResolver type="File" key="$PEER_DIR/keys/sp.key" certificate="$PEER_DIR/keys/sp.crt"/>
  </ApplicationDefaults>
  <SecurityPolicyProvider type="XML" validate="true" path="/etc/shibboleth/security-policy.xml"/>
  <ProtocolProvider type="XML" validate="true" path="/etc/shibboleth/protocols.xml"/>
</SPConfig>
CONF

{
  apache_head
  cat <<CONF
LoadModule mod_shib $modules/mod_shib.so
ShibConfig "$PEER_DIR/shib/shibboleth2.xml"
Redirect 302 /logout $origin/Shibboleth.sso/Logout?return=$origin/logged-out
<Location />
  AuthType shibboleth
  ShibRequestSetting requireSession false
  Require shibboleth
</Location>
<Location /protected>
  ShibRequestSetting requireSession true
  Require valid-user
</Location>
CONF
} >"$PEER_DIR/httpd.conf"

# Both serve as the same user, so that the one may use the other's socket.
if [ ${#AS_USER[@]} -gt 0 ]; then
  chown -R www-data "$PEER_DIR/shib" "$PEER_DIR/keys" "$PEER_DIR/idp-metadata.xml"
fi
both=("$BASH" -c '"${@:2}" & shibd=$!; apache2 -X -f "$1" & wait -n; kill "$shibd" $! 2>/dev/null; wait' both "$PEER_DIR/httpd.conf"
  "${AS_USER[@]}" "$(command -v shibd)" -F -f -c "$PEER_DIR/shib/shibboleth2.xml" -p "$PEER_DIR/shib/shibd.pid" -w 20)
supervise TERM "${both[@]}"
await 30 curl -fsS --max-time 5 -o "$PEER_DIR/sp-metadata.xml" "$origin/Shibboleth.sso/Metadata"
announce "$origin/protected"
