#!/usr/bin/env bash
# Provisions the domain that every start.sh copies, once for this machine, and prints its folder. A change of what is
# in it needs another name.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH="$PATH:/usr/sbin:/sbin"
version=$(samba --version | tr -c '[:alnum:].\n' '-')
contents=$(cat "$here/template.sh" "$here/company.py" | sha256sum | cut -c 1-12)
home="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/fedbridge/samba-$version-$contents"

mkdir -p "$(dirname "$home")"
exec 8>"$home.lock"
flock 8
if [ ! -e "$home/dc" ]; then
  fresh="$home.new"
  rm -rf "$fresh"
  mkdir -p "$fresh"
  if ! {
    samba-tool domain provision --realm=AD.EXAMPLE.TEST --domain=ADX --server-role=dc --adminpass=Admin-password-1 \
      --dns-backend=NONE --host-name=dc1 --host-ip=127.0.0.1 --targetdir="$fresh/dc" \
      --option="interfaces=lo" --option="bind interfaces only=yes"
    samba-tool domain passwordsettings set -s "$fresh/dc/etc/smb.conf" --complexity=off --min-pwd-length=8 \
      --min-pwd-age=0 --max-pwd-age=0 --history-length=2 --account-lockout-threshold=5
    /usr/bin/python3 "$here/company.py" "$fresh/dc"
  } >"$fresh/log" 2>&1 </dev/null; then
    echo "the domain could not be provisioned:" >&2
    tail -n 15 "$fresh/log" >&2
    exit 1
  fi
  rm -rf "$home"
  mv "$fresh" "$home"
fi
echo "$home"
