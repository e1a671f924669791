#!/usr/bin/env bash
# Rollcall beside Debian's ejabberd and Prosody, in one run on one machine.
#
#   bench/side-by-side/run.sh KIT [REPS] [PART …]      default: 3 core b200 ef
#
# KIT is a working folder of the yardstick (bench/README.md says what that is) that its setup.sh has prepared: generator
# `xload`, `driver.sh`, `peers/`. Results: bench/results/side-by-side.md (or the file $OUT), and the raw lines in KIT/out/.
# Further parts: tls floor variants. Ours: `idle` and `tlsidle`, memory of 10,000 idle connections, where each server is left alone for
# 10 s after its start, so that the base is what it needs and not what starting took; `idle20`, with rosters of 20, Rollcall only.
set -euo pipefail
kit=$(cd "$1" && pwd); reps=${2:-3}; shift $(( $# < 2 ? $# : 2 ))
parts=("$@"); [ ${#parts[@]} -gt 0 ] || parts=(core b200 ef)
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/../.." && pwd)
data=$kit/rollcall-data; result=${OUT:-$root/bench/results/side-by-side.md}
rollcall=(node "$root/tools/rollcall.mjs"); options=(--config "$data/rollcall.yaml" --data "$data")

[ -e "$data/imported" ] || rm -rf "$data"
mkdir -p "$data"
# The kit says on which ports it looks for us.
read -r port tls_port < <(awk '$1 == "rollcall" { print $2, $3 }' "$kit/peers/peers.conf")
sed "s/45222/$port/; s/45223/$tls_port/" "$here/rollcall.yaml" > "$data/rollcall.yaml"
if [ ! -e "$data/imported" ]; then
  node "$root/tools/run.mjs" "$here/accounts.ts" 10000 20 e > "$data/accounts20.tsv"
  for file in "$kit/peers/data/accounts.tsv" "$data/accounts20.tsv"; do
    "${rollcall[@]}" account import "$file" "${options[@]}" --host bench.test --salt bench-salt-0001 --iterations 4096
  done
  touch "$data/imported"
fi

# The pinned Node itself, with the launcher's own flags, so that there is one process to measure.
export RUN="$root/node_modules/.bin/node --max-semi-space-size=4 --initial-old-space-size=96 --no-allocation-site-pretenuring $root/tools/rollcall.mjs start ${options[*]}"
export JSON=$kit/out/side-by-side.jsonl
rm -f "$JSON"
cd "$kit"

# idle SERVER LABEL USER [OPTION …]: memory before and with ${STEPS:-10000} idle connections.
idle() {
  local server=$1 label=$2 user=$3 column=2; shift 3
  [[ " $* " = *" direct "* ]] && column=3
  peers/peer.sh start "$server"
  sleep 10
  ./xload idle --label "$label" --target "127.0.0.1:$(awk -v n="$server" -v c=$column '$1 == n { print $c }' peers/peers.conf)" \
    --domain bench.test --user "$user" --pass pw --pid "$(peers/peer.sh pid "$server")" --steps "${STEPS:-10000}" --settle 3 --watch 1.5 \
    --max-secs 150 --json "$JSON" "$@" >/dev/null || echo "$server: the generator failed" >&2
  peers/peer.sh stop "$server"
}

for rep in $(seq "$reps"); do
  for part in "${parts[@]}"; do
    echo "repetition $rep: $part" >&2
    if [ "$part" = idle20 ]; then STEPS=1000,5000,10000 idle rollcall rollcall-roster20 e%d
    elif [ "$part" = idle ]; then for peer in prosody ejabberd rollcall; do idle $peer $peer u%d; done
    elif [ "$part" = tlsidle ]; then for peer in prosody ejabberd rollcall; do idle $peer $peer u%d --tls direct; done
    elif [ "$part" = floor ]; then ./driver.sh floor
    else for peer in prosody ejabberd rollcall; do ./driver.sh "$part:$peer"; done
    fi
  done
done
{ echo "# Side by side"; echo
  echo "Rollcall, ejabberd $(dpkg-query -Wf '${Version}' ejabberd 2>/dev/null) and Prosody $(dpkg-query -Wf '${Version}' prosody 2>/dev/null)"
  echo "in one run on one machine ($(nproc) cores), $(date -u +%F): median (min..max) of $reps repetitions. Made by"
  echo "\`bench/side-by-side/run.sh KIT $reps ${parts[*]}\`; CPU is user+sys of all of a server's processes per unit delivered."
  python3 report.py "$JSON"
} > "$result"
echo "written: $result" >&2
