#!/usr/bin/env bash
# Installs what building and testing fedbridge needs on Debian 12. What is there already stays as it is.
#
#   scripts/install-deps.sh GROUP...
#
#   build   compiler and libraries, and what the finished program loads
#   rust    checks for cargo and rustc of the version in Cargo.toml (installs nothing)
#   test    the real parts that the tests talk to (PostgreSQL, SimpleSAMLphp, Apache,
#           Shibboleth, LemonLDAP::NG, Keycloak, Chromium, Node, Python, OpenLDAP, Samba, sssd,
#           nslcd, Postfix)
#   ci      cargo-deny
#   all     all of these
#
# System packages come through apt, as root or with sudo. A service that comes with a package is not
# started: the tests start their own, on free loopback ports.
set -euo pipefail

cargo_deny_version=0.20.2

build_packages=(
  gcc libc6-dev make pkg-config libssl-dev libxml2-dev libxmlsec1-dev libclang-dev
  libxmlsec1-openssl ca-certificates
)
# Its portal loads modules at its start that the packages only recommend or suggest, so all are named.
lemonldap_packages=(
  liblemonldap-ng-portal-perl liblemonldap-ng-common-perl starman
  libimage-magick-perl libgd-securityimage-perl libgd-perl libcookie-baker-xs-perl libhttp-parser-xs-perl
  libapache-session-browseable-perl libstring-random-perl libemail-sender-perl libmime-tools-perl libio-string-perl
  libconvert-base32-perl libcrypt-openssl-bignum-perl libunicode-string-perl libipc-run-perl
  libio-socket-timeout-perl libnet-ldap-perl
)
# Directories, and old apps that ask them. Samba without winbind and Kerberos' own programs, which nothing here needs.
ldap_packages=(
  slapd ldap-utils
  samba samba-dsdb-modules samba-ad-provision samba-vfs-modules iproute2 util-linux
  sssd-ldap libnss-sss libpam-sss nslcd libnss-ldapd libpam-ldapd pamtester
  postfix postfix-ldap python3-ldap
)
test_packages=(
  postgresql
  simplesamlphp php-cli php-xml php-sqlite3 php-mbstring php-curl
  apache2 libapache2-mod-auth-openidc libapache2-mod-auth-mellon
  libapache2-mod-shib shibboleth-sp-utils shibboleth-sp-common
  chromium fonts-liberation
  "${lemonldap_packages[@]}"
  "${ldap_packages[@]}"
  xmlsec1 libxml2-utils opensaml-schemas xmltooling-schemas
  python3 python3-venv openssl curl procps ca-certificates
)

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH="$PATH:${HOME:-/root}/.cargo/bin"

main() {
  [ $# -gt 0 ] || usage
  local group
  for group in "$@"; do
    case "$group" in
      build | test | rust | ci | all) ;;
      *) usage ;;
    esac
  done
  [[ " $* " != *" all "* ]] || set -- build test rust ci

  # First what this script only checks, before anybody waits for packages.
  [[ " $* " != *" rust "* ]] || check_rust

  # All system packages of the wanted groups in one go.
  local packages=()
  [[ " $* " != *" build "* ]] || packages+=("${build_packages[@]}")
  [[ " $* " != *" test "* ]] || packages+=("${test_packages[@]}" $(node_packages) $(java_packages))
  install_packages "${packages[@]}"

  for group in "$@"; do
    case "$group" in
      test) install_node_modules; install_python_packages; install_keycloak ;;
      ci) install_cargo_deny ;;
    esac
  done
}

usage() {
  echo "usage: scripts/install-deps.sh build|rust|test|ci|all ..." >&2
  exit 2
}

fail() {
  echo "$1" >&2
  exit 1
}

# Node may have come from elsewhere than Debian, and then brings its own npm.
node_packages() {
  command -v node >/dev/null 2>&1 || echo nodejs
  command -v npm >/dev/null 2>&1 || echo npm
}

# The same holds for Java. Maven is what brings Keycloak.
java_packages() {
  command -v java >/dev/null 2>&1 || echo openjdk-17-jre-headless
  command -v mvn >/dev/null 2>&1 || echo maven
}

install_packages() {
  local missing=() package
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  command -v apt-get >/dev/null 2>&1 || fail "apt-get is missing: this script serves Debian 12; install these packages by hand: ${missing[*]}"
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || fail "sudo is missing: run as root: apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi

  echo "installing: ${missing[*]}"
  keep_logins
  hold_services
  update_lists
  # The lock's time limit lets another apt-get finish first.
  apt install "${missing[@]}" || fail "apt-get could not install: ${missing[*]}"
  give_logins_back
  release_services
}

# sssd's and nslcd's packages would make this machine's own logins ask them. The tests bring what they need into a
# mount namespace, so these files stay as they were.
logins=(/etc/nsswitch.conf /etc/pam.d/common-account /etc/pam.d/common-auth /etc/pam.d/common-password
  /etc/pam.d/common-session /etc/pam.d/common-session-noninteractive)
kept_logins=
keep_logins() {
  trap 'give_logins_back; release_services' EXIT
  kept_logins=$(mktemp -d)
  local file
  for file in "${logins[@]}"; do
    [ ! -e "$file" ] || cp -p "$file" "$kept_logins/${file##*/}"
  done
}

give_logins_back() {
  [ -n "$kept_logins" ] || return 0
  local file kept
  for file in "${logins[@]}"; do
    kept="$kept_logins/${file##*/}"
    [ ! -e "$kept" ] || cmp -s "$kept" "$file" || "${as_root[@]}" cp -p "$kept" "$file"
  done
  rm -rf "$kept_logins"
  kept_logins=
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
    -o DPkg::Lock::Timeout=900 -o Dpkg::Use-Pty=0 "$@"
}

# The lock on the package lists has no time limit of its own, so an update beside another one is tried again.
update_lists() {
  local tries
  for tries in 1 2 3 4 5 6; do
    ! apt update || return 0
    sleep 10
  done
  fail "apt-get update failed: check this machine's package sources"
}

# Debian starts a service right after its installation, unless this file says no.
policy=/usr/sbin/policy-rc.d
holding=no
hold_services() {
  [ ! -e "$policy" ] || return 0
  holding=yes
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
}

release_services() {
  [ "$holding" = yes ] || return 0
  holding=no
  "${as_root[@]}" rm -f "$policy"
}

check_rust() {
  local wanted found
  wanted=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$project/Cargo.toml" | head -n 1)
  local hint="install rustup (rust-lang.org/tools/install) and run: rustup toolchain install $wanted && rustup default $wanted"
  command -v cargo >/dev/null 2>&1 || fail "cargo is missing: $hint"
  found=$(cd "$project" && rustc --version 2>/dev/null | awk '{print $2}')
  [ -n "$found" ] || fail "rustc is missing: $hint"
  if [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
    fail "rustc $found is too old, $wanted is needed: $hint"
  fi
}

# The relying party and the browser driver of the tests. npm notes in node_modules what it installed.
install_node_modules() {
  local folder="$project/tests/peers/node" major
  major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
  [ "$major" -ge 18 ] || fail "node $(node --version) is too old: 18 or newer is needed (Debian 12 has it as nodejs)"
  if [ ! "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ]; then
    echo "installing the npm packages of tests/peers/node"
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) ||
      fail "npm ci failed in tests/peers/node: is the package registry reachable?"
    touch "$folder/node_modules/.package-lock.json"
  fi
}

# The SAML peers in Python, each file checked against its hash. They are installed beside and then take their name: a
# run that is killed leaves no half of them where the tests look.
install_python_packages() {
  local folder="$project/tests/peers/python" held
  # Another run may be at it.
  exec {held}<"$folder"
  flock "$held"
  if [ ! "$folder/.venv/installed" -nt "$folder/requirements.txt" ]; then
    echo "installing the Python packages of tests/peers/python"
    local fresh="$folder/.venv.new"
    rm -rf "$fresh"
    python3 -m venv "$fresh" || fail "python3 -m venv failed: install python3-venv"
    "$fresh/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: \
      -r "$folder/requirements.txt" || fail "pip install failed in tests/peers/python: is the package registry reachable?"
    touch "$fresh/installed"
    rm -rf "$folder/.venv"
    mv "$fresh" "$folder/.venv"
  fi
  exec {held}<&-
}

# Keycloak as its makers publish it, checked against its hash, and built for how the tests run it. It stands outside
# of the checkout, one for all of them.
install_keycloak() {
  local home version hash
  home=$("$project/tests/peers/keycloak/home.sh")
  [ ! -e "$home/installed" ] || return 0
  version=${home##*-}
  hash=aca60ab72ae4d67adc6b8fe7fca5e08d16a6bb5e4a4f2ebb54050e3f5503fd2b
  echo "installing Keycloak $version"
  local fresh="$home.$$" archive="keycloak-quarkus-dist-$version.tar.gz"
  mkdir -p "$fresh"
  # Maven's own cache would keep the archive, which nobody needs twice.
  mvn -q -B -Dmaven.repo.local="$fresh/maven" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:tar.gz" -DoutputDirectory="$fresh" ||
    fail "mvn could not fetch Keycloak: is the package registry reachable?"
  echo "$hash  $fresh/$archive" | sha256sum --check --quiet || fail "$fresh/$archive is not the Keycloak that was expected"
  tar -xzf "$fresh/$archive" -C "$fresh" --strip-components=1
  rm -rf "$fresh/maven" "$fresh/$archive"
  "$project/tests/peers/keycloak/build.sh" "$fresh" || fail "Keycloak could not be built: it needs Java 17 or newer"
  touch "$fresh/installed"
  rm -rf "$home"
  mv "$fresh" "$home"
}

install_cargo_deny() {
  check_rust
  ! cargo deny --version >/dev/null 2>&1 || return 0
  echo "installing cargo-deny $cargo_deny_version"
  # In a build folder of its own: the project's may be locked by a running build.
  env -u CARGO_TARGET_DIR cargo install cargo-deny --locked --version "$cargo_deny_version"
}

main "$@"
