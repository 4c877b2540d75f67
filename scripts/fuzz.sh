#!/usr/bin/env bash
# Runs the fuzz targets of adapters/saml/fuzz, one after the other. The first finding stops it: libFuzzer
# prints it, and keeps the input below the build folder.
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
folder=$PWD/adapters/saml/fuzz

command -v g++ >/dev/null || { echo "g++ is missing: libFuzzer is written in C++; run: apt-get install g++" >&2; exit 1; }
cargo fuzz --version 2>/dev/null | grep -qF "$cargo_fuzz_version" || {
  echo "installing cargo-fuzz $cargo_fuzz_version"
  env -u CARGO_TARGET_DIR cargo install cargo-fuzz --locked --version "$cargo_fuzz_version"
}

output=$(scripts/target-dir.sh)/fuzz
# AddressSanitizer is not part of a stable compiler's promises, hence the permission.
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$output
if [ $# -eq 0 ]; then
  mapfile -t targets < <(cargo fuzz list --fuzz-dir "$folder")
  set -- "${targets[@]}"
fi
cargo fuzz build --fuzz-dir "$folder"
triple=$(rustc -vV | sed -n 's/^host: //p')

for target in "$@"; do
  corpus=$output/corpus/$target
  findings=$output/findings/$target
  mkdir -p "$corpus" "$findings"
  echo "fuzzing $target for $seconds s"
  FUZZ_SEEDS=$corpus "$output/$triple/release/$target" "$corpus" -dict="$folder/saml.dict" \
    -artifact_prefix="$findings/" -max_total_time="$seconds" -max_len=16384 -timeout=60 \
    -print_final_stats=1 -verbosity=0
done
