#!/usr/bin/env bash
# Measures one node on loopback: start-up, CPU per call and per packet, memory per call. Prints a table; target/bench.json
# has the same figures for whatever compares runs. Ends within five minutes once it is built.
set -euo pipefail
cd "$(dirname "$0")/.."

# 800 sockets of phones and 400 of the forwarder in this process, 2,000 of the server's in the other.
need=4096
[ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge "$need" ] || ulimit -n "$need"

exec "${CARGO:-cargo}" bench --locked --bench load
