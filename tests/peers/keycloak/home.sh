#!/usr/bin/env bash
# Prints where scripts/install-deps.sh puts Keycloak. The number at its end is the version.
set -euo pipefail
echo "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/fedbridge/keycloak-26.4.7"
