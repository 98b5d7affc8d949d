#!/usr/bin/env bash
# Prints how fast the example server answers under load, and how much memory it takes: a table of rates,
# p50 and p99, and the most memory that it had meanwhile. Needs nothing but cargo. Arguments: how many
# requests of each kind (5000), how many uploads (500), and how many MiB the large file has (1024).
set -euo pipefail
cd "$(dirname "$0")/.."

executable() {
    cargo build --quiet --profile bench "$@" --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

server=$(executable -p server)
load=$(executable --bench load)
exec "$load" "$server" "$@"
