#!/usr/bin/env bash
# Prints how many instructions each case of the benches takes per request, counted by callgrind, and
# how that compares with the bare handler. Needs valgrind. Arguments: names of cases; default all.
set -euo pipefail
cd "$(dirname "$0")/.."

requests=1000
bench=$(cargo bench --quiet --bench instructions --no-run --message-format=json |
    sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p')

# Counts a whole run in which $2 requests are answered.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        "$bench" "$1" "$2" $((2 * requests)) 2>&1 | sed -n 's/.*Collected : //p' ||
        { echo "callgrind failed on $1" >&2 && exit 1; }
}

if (($#)); then cases=("$@"); else mapfile -t cases < <("$bench"); fi
declare -A bare
printf '| %-20s | %12s | %9s | %7s |\n' case instructions 'over bare' ratio
printf '| %s | %s: | %s: | %s: |\n' -------------------- ----------- -------- ------
for case in "${cases[@]}"; do
    once=$(count "$case" $requests)
    twice=$(count "$case" $((2 * requests)))
    each=$(((twice - once) / requests))
    peers=${case%%/*}/${case##*/}
    [[ $case == */bare/* ]] && bare[$peers]=$each
    base=${bare[$peers]:-$each}
    printf '| %-20s | %12d | %9d | %3d.%02d× |\n' "$case" "$each" $((each - base)) \
        $((each / base)) $((100 * each / base % 100))
done
