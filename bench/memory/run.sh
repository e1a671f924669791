#!/usr/bin/env bash
# What a connection takes in memory while it is idle, and what its login and its messages take in CPU: without TLS, with TLS 1.3,
# and with TLS 1.3 that stays in OpenSSL (tls.compact: false).
#
#   bench/memory/run.sh KIT [REPS] [STEPS]      default: 3 2000,10000
#
# KIT is a working folder of the yardstick in which bench/side-by-side/run.sh has imported the accounts. Result:
# bench/results/memory.txt, or the file $OUT.
set -euo pipefail
kit=$(cd "$1" && pwd); reps=${2:-3}; steps=${3:-2000,10000}
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/../.." && pwd)
data=$kit/rollcall-data; out=${OUT:-$root/bench/results/memory.txt}
lines=$(mktemp); config=$(mktemp --suffix .yaml); server=
trap '[ -z "$server" ] || kill "$server"; rm -f "$lines" "$config"' EXIT
port=25922; tls_port=25923

start() { # start TLS-SETTINGS
  sed "s/45222/$port/; s/45223/$tls_port/; s/^tls: .*/tls: { required: false, $1 }/" "$here/../side-by-side/rollcall.yaml" > "$config"
  (cd "$root" && exec node_modules/.bin/node --max-semi-space-size=4 --initial-old-space-size=96 --no-allocation-site-pretenuring tools/rollcall.mjs start --config "$config" --data "$data" >/dev/null) &
  server=$!
  for _ in $(seq 300); do ss -ltn | grep -q ":$tls_port " && break; sleep 0.1; done
  ss -ltn | grep -q ":$tls_port "
  sleep 1
}
stop() { kill "$server"; wait "$server" || true; server=; }
xload() { # xload NAME SCENARIO OPTION...
  local name=$1 scenario=$2 at=(--target "127.0.0.1:$tls_port" --tls direct); shift 2
  [ "$name" = plain ] && at=(--target "127.0.0.1:$port" --tls none)
  (cd "$kit" && timeout 150 ./xload "$scenario" --label "$name" "${at[@]}" --domain bench.test --pass pw --pid "$server" --quiet-wait 3 "$@") >> "$lines" 2>/dev/null
}
settings() { if [ "$1" = openssl ]; then echo 'compact: false'; else echo 'compact: true'; fi; }

for name in plain compact openssl; do
  start "$(settings $name)"
  xload $name idle --user e%d --steps "$steps" --settle 3 --watch 1
  stop
done
for _ in $(seq "$reps"); do
  for name in plain compact openssl; do
    start "$(settings $name)"
    for _ in 1 2; do xload $name login --user u%d --n 1000; done
    for window in 1 10; do xload $name message --user u%d --pairs 100 --window $window --secs 2 --warm 0.7 --modes tput; done
    stop
  done
done
{
  echo "Memory of idle connections, CPU of logins and messages; $(nproc) cores, $(date -u +%F), bench/memory/run.sh KIT $reps $steps"
  echo "plain: no TLS; compact: TLS 1.3, OpenSSL left after the handshake; openssl: TLS 1.3 in OpenSSL (tls.compact: false). Direct TLS, ECDSA, AES-256-GCM."
  python3 "$here/report.py" "$lines"
} > "$out"
echo "written: $out" >&2
