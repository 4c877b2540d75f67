# Shared by apache-mellon and apache-shib. Sourced after lib.sh, never run.
PATH="$PATH:/usr/sbin"
modules=/usr/lib/apache2/modules

# apache_saml MODULE_FILE PACKAGE: checks, folders, keys, and the identity provider's metadata.
apache_saml() {
  need apache2 curl setsid setpriv
  need_path "$modules/$1" "$2"
  peer_setup
  apache_is_gone
  # Apache wants to serve as somebody else than root.
  become www-data
  saml_key sp
  fetch_idp_metadata
  mkdir -p "$PEER_DIR/htdocs"
  origin="http://127.0.0.1:$PEER_PORT"
  for name in ${SP_ATTRIBUTES:=mail displayName groups}; do
    [[ "$name" =~ ^[A-Za-z0-9_-]+$ ]] || { echo "SP_ATTRIBUTES: $name is no plain name" >&2; exit 2; }
  done
}

# One that was here before may still be going: it holds the port, and the new one refuses to run beside it.
apache_is_gone() {
  local look before
  for ((look = 0; look < 100; look++)); do
    before=$(cat "$PEER_DIR/httpd.pid" 2>/dev/null) && kill -0 "$before" 2>/dev/null || break
    sleep 0.1
  done
  rm -f "$PEER_DIR/httpd.pid"
}

# session_lua FIELDS: the handler with the words that this module uses for what it knows.
session_lua() {
  local list
  list=$(printf '"%s", ' $SP_ATTRIBUTES)
  { echo "peer = { $1, attributes = { $list } }"; cat "$(dirname "${BASH_SOURCE[0]}")/session.lua"; } >"$PEER_DIR/session.lua"
  chmod 644 "$PEER_DIR/session.lua"
}

# What both servers' configurations begin with.
apache_head() {
  cat <<CONF
ServerRoot "$PEER_DIR"
ServerName 127.0.0.1:$PEER_PORT
UseCanonicalName On
Listen 127.0.0.1:$PEER_PORT
PidFile "$PEER_DIR/httpd.pid"
DefaultRuntimeDir "$PEER_DIR"
ErrorLog "$PEER_DIR/error.log"
LogLevel ${SP_LOG_LEVEL:-warn}
DocumentRoot "$PEER_DIR/htdocs"
User www-data
Group www-data
KeepAlive Off

LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authn_core_module $modules/mod_authn_core.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule authz_user_module $modules/mod_authz_user.so
LoadModule alias_module $modules/mod_alias.so
LoadModule lua_module $modules/mod_lua.so

LuaMapHandler ^/(protected|session)$ "$PEER_DIR/session.lua" session
LuaMapHandler ^/logged-out$ "$PEER_DIR/session.lua" logged_out
CONF
}
