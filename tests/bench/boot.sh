#!/bin/sh
# boot.sh [OPTION...]: brings the guest if it is not there, then measures its boot; see boot.py.
set -eu
cd "$(dirname "$0")/../.."
tools/guest.sh kernel
exec python3 tests/bench/boot.py "$@"
