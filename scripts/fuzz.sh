#!/usr/bin/env bash
# Runs the fuzz targets of adapters/saml/fuzz, adapters/ldap/fuzz and adapters/scim/fuzz, one after the other. The
# first finding stops it: libFuzzer prints it, and keeps the input below the build folder.
#
#   scripts/fuzz.sh [TARGET...]      all of them, if none is named
#
#   FUZZ_SECONDS   how long each one runs (60)
#
# What a run learns stays in the build folder, so the next one goes on from there.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo_fuzz_version=0.13.2
seconds=${FUZZ_SECONDS:-60}
# Each has its targets, under names that no other has, and a dictionary, NAME.dict.
protocols=(saml ldap scim)

command -v g++ >/dev/null || { echo "g++ is missing: libFuzzer is written in C++; run: apt-get install g++" >&2; exit 1; }
cargo fuzz --version 2>/dev/null | grep -qF "$cargo_fuzz_version" || {
  echo "installing cargo-fuzz $cargo_fuzz_version"
  env -u CARGO_TARGET_DIR cargo install cargo-fuzz --locked --version "$cargo_fuzz_version"
}

output=$(scripts/target-dir.sh)/fuzz
# AddressSanitizer is not part of a stable compiler's promises, hence the permission.
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$output
triple=$(rustc -vV | sed -n 's/^host: //p')

declare -A protocol_of
all=()
for protocol in "${protocols[@]}"; do
  mapfile -t targets < <(cargo fuzz list --fuzz-dir "adapters/$protocol/fuzz")
  for target in "${targets[@]}"; do
    protocol_of[$target]=$protocol
    all+=("$target")
  done
done
[ $# -gt 0 ] || set -- "${all[@]}"
for target in "$@"; do
  [ -n "${protocol_of[$target]:-}" ] || { echo "there is no fuzz target $target; there are: ${all[*]}" >&2; exit 2; }
done
for protocol in "${protocols[@]}"; do
  for target in "$@"; do
    [ "${protocol_of[$target]}" != "$protocol" ] || { cargo fuzz build --fuzz-dir "adapters/$protocol/fuzz"; break; }
  done
done

for target in "$@"; do
  protocol=${protocol_of[$target]}
  corpus=$output/corpus/$target
  findings=$output/findings/$target
  mkdir -p "$corpus" "$findings"
  echo "fuzzing $target for $seconds s"
  FUZZ_SEEDS=$corpus "$output/$triple/release/$target" "$corpus" -dict="adapters/$protocol/fuzz/$protocol.dict" \
    -artifact_prefix="$findings/" -max_total_time="$seconds" -max_len=16384 -timeout=60 \
    -print_final_stats=1 -verbosity=0
done
