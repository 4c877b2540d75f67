#!/usr/bin/env bash
# Apache httpd with mod_auth_openidc as a relying party. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH="$PATH:/usr/sbin"
need apache2 curl setsid setpriv
modules=/usr/lib/apache2/modules
need_path "$modules/mod_auth_openidc.so" libapache2-mod-auth-openidc
require OIDC_PROVIDER_METADATA_URL OIDC_CLIENT_ID OIDC_CLIENT_SECRET
peer_setup
# Apache wants to serve as somebody else than root.
become www-data

for name in OIDC_PROVIDER_METADATA_URL OIDC_CLIENT_ID OIDC_CLIENT_SECRET OIDC_SCOPES OIDC_AUTH_PARAMS OIDC_ID_TOKEN_ALG OIDC_CLIENT_AUTH; do
  case "${!name:-}" in
    *'"'* | *\\* | *'${'* | *$'\n'*)
      echo "$name has a quote, backslash, dollar brace or line break, which the Apache configuration can't hold" >&2
      exit 2
      ;;
  esac
done

origin="http://127.0.0.1:$PEER_PORT"
cp "$here/claims.lua" "$PEER_DIR/claims.lua"
chmod 644 "$PEER_DIR/claims.lua"
mkdir -p "$PEER_DIR/htdocs"
cat >"$PEER_DIR/httpd.conf" <<CONF
ServerRoot "$PEER_DIR"
ServerName 127.0.0.1:$PEER_PORT
Listen 127.0.0.1:$PEER_PORT
PidFile "$PEER_DIR/httpd.pid"
DefaultRuntimeDir "$PEER_DIR"
ErrorLog "$PEER_DIR/error.log"
LogLevel warn auth_openidc:${OIDC_LOG_LEVEL:-warn}
DocumentRoot "$PEER_DIR/htdocs"
User www-data
Group www-data
KeepAlive Off
# Claims travel as request headers: a person with many groups has long ones.
LimitRequestFieldSize 65536

LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authn_core_module $modules/mod_authn_core.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule authz_user_module $modules/mod_authz_user.so
LoadModule alias_module $modules/mod_alias.so
LoadModule lua_module $modules/mod_lua.so
LoadModule auth_openidc_module $modules/mod_auth_openidc.so

OIDCProviderMetadataURL "$OIDC_PROVIDER_METADATA_URL"
OIDCClientID "$OIDC_CLIENT_ID"
OIDCClientSecret "$OIDC_CLIENT_SECRET"
OIDCProviderTokenEndpointAuth "${OIDC_CLIENT_AUTH:-client_secret_basic}"
OIDCRedirectURI "$origin/protected/redirect_uri"
OIDCCryptoPassphrase "only-for-tests-on-loopback"
OIDCResponseType code
OIDCPKCEMethod S256
OIDCScope "${OIDC_SCOPES:-openid profile email groups}"
OIDCIDTokenSignedResponseAlg "${OIDC_ID_TOKEN_ALG:-ES256}"
OIDCRemoteUserClaim sub
OIDCPassIDTokenAs claims payload
OIDCPassUserInfoAs claims json
OIDCPassRefreshToken On
OIDCPassClaimsAs both
OIDCInfoHook iat access_token access_token_expires id_token userinfo refresh_token session
OIDCDefaultLoggedOutURL "$origin/logged-out"
${OIDC_AUTH_PARAMS:+OIDCAuthRequestParams "$OIDC_AUTH_PARAMS"}

Redirect 302 /logout $origin/protected/redirect_uri?logout=$origin/logged-out
LuaMapHandler ^/protected(?!/redirect_uri)(/.*)?$ "$PEER_DIR/claims.lua" claims
LuaMapHandler ^/logged-out$ "$PEER_DIR/claims.lua" logged_out
<Location /protected>
  AuthType openid-connect
  Require valid-user
</Location>
CONF

# One that was here before may still be going; it holds the port.
for ((look = 0; look < 100; look++)); do
  before=$(cat "$PEER_DIR/httpd.pid" 2>/dev/null) && kill -0 "$before" 2>/dev/null || break
  sleep 0.1
done
rm -f "$PEER_DIR/httpd.pid"

# -X keeps everything in this one process, with many threads.
supervise TERM apache2 -X -f "$PEER_DIR/httpd.conf"
await 30 curl -fsS --max-time 5 "$origin/logged-out"
announce "$origin/protected"
