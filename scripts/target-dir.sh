#!/bin/sh
# Prints where cargo puts its output, whatever the settings are.
set -eu
cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
