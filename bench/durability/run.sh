#!/usr/bin/env bash
# What keeping messages costs: Rollcall, ejabberd and Prosody with their archives on and off, in one run on one machine.
#
#   bench/durability/run.sh KIT [REPS] [VARIANT …]      default: 3, all variants
#
# KIT is a working folder of the yardstick (bench/README.md) that its setup.sh has prepared. Peers whose archive is to be in
# SQLite need erlang-p1-sqlite3 and lua-dbi-sqlite3; without the package the variant is left out. Every variant starts from
# a fresh copy of its accounts. Result: bench/results/durability.txt. About 40 seconds per variant and repetition.
set -euo pipefail
kit=$(cd "$1" && pwd); reps=${2:-3}; shift $(( $# < 2 ? $# : 2 ))
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/../.." && pwd)
variants=("$@")
if [ ${#variants[@]} -eq 0 ]; then
  variants=(rollcall-off rollcall-async rollcall-commit ejabberd-off ejabberd-mnesia ejabberd-sqlite prosody-off prosody-internal prosody-sqlite)
fi
base=$kit/durability work=$kit/durability/run json=$kit/durability/raw.jsonl
node=$root/node_modules/.bin/node
secs=${SECS:-4}
mkdir -p "$base"; rm -f "$json"
server=

port() { awk -v n="$1" '$1==n {print $2}' "$kit/peers/peers.conf"; }
say() { echo "$(date +%T) $*" >&2; }

accounts() { # of Rollcall, once
  [ -e "$base/accounts/imported" ] && return
  rm -rf "$base/accounts"; mkdir -p "$base/accounts"
  render off > "$base/accounts.yaml"
  grep -P '^u\d+\t' "$kit/peers/data/accounts.tsv" > "$base/accounts.tsv"
  "$node" "$root/tools/rollcall.mjs" account import "$base/accounts.tsv" --config "$base/accounts.yaml" --data "$base/accounts" \
    --host bench.test --salt bench-salt-0001 --iterations 4096
  touch "$base/accounts/imported"
}

render() { # the configuration of Rollcall
  local lines=
  case $1 in
    off) lines='modules: { archive: { enabled: false } }' ;;
    async) lines=$'storage: { durability: normal }\nstreamManagement: { durability: async }' ;;
    commit) lines=$'storage: { durability: full }\nstreamManagement: { durability: commit }' ;;
  esac
  while IFS= read -r line; do
    case $line in
      @DURABILITY@) echo "$lines" ;;
      *) echo "${line//@PORT@/$(port rollcall)}" ;;
    esac
  done < "$here/rollcall.yaml"
}

wait_port() {
  for _ in $(seq 150); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0; sleep 0.2; done
  say "port $1 did not open:"; tail -5 "$work"/*.log >&2; return 1
}

start_rollcall() {
  render "$1" > "$work/rollcall.yaml"; cp -r "$base/accounts" "$work/data"
  setsid "$node" --max-semi-space-size=4 --initial-old-space-size=96 --no-allocation-site-pretenuring "$root/tools/rollcall.mjs" start \
    --config "$work/rollcall.yaml" --data "$work/data" > "$work/server.log" 2>&1 < /dev/null &
  server=$!
}

start_prosody() {
  cp -r "$kit/peers/prosody/data" "$work/data"
  WORK=$work TLS=$kit/peers/tls ARCHIVE=$1 setsid prosody -F --config "$here/peers/prosody.cfg.lua" > "$work/out.log" 2>&1 < /dev/null &
  server=$!
}

start_ejabberd() {
  local sql= archive=
  case $1 in
    mnesia) archive=$'  mod_mam:\n    default: always\n    db_type: mnesia\n  mod_offline: {}' ;;
    sqlite)
      sql=$'sql_type: sqlite\nsql_database: "'$work/archive.sqlite'"'
      archive=$'  mod_mam:\n    default: always\n    db_type: sql\n  mod_offline: {}'
      python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())' \
        "$work/archive.sqlite" /usr/share/ejabberd/sql/lite.sql ;;
  esac
  while IFS= read -r line; do
    case $line in @SQL@) echo "$sql" ;; @ARCHIVE@) echo "$archive" ;; *) echo "$line" ;; esac
  done < "$here/peers/ejabberd.yml" > "$work/ejabberd.yml"
  cp -r "$kit/peers/ejabberd/spool" "$work/spool"
  sed "s#^EJABBERD_PID_PATH=.*#EJABBERD_PID_PATH=$work/server.pid#" "$kit/peers/ejabberd/ejabberdctl.cfg" > "$work/ejabberdctl.cfg"
  HOME=$work BENCH_ERL='' setsid "$kit/peers/ejabberd/ejabberdctl" --config "$work/ejabberd.yml" --config-dir "$kit/peers/ejabberd" \
    --ctl-config "$work/ejabberdctl.cfg" --logs "$work" --spool "$work/spool" foreground > "$work/out.log" 2>&1 < /dev/null &
  server=$!
}

stop() {
  [ -n "$server" ] || return 0
  # Its own process group, so that children of a starting script end too.
  kill -- "-$server" 2>/dev/null || kill "$server" 2>/dev/null || true
  for _ in $(seq 100); do kill -0 -- "-$server" 2>/dev/null || break; sleep 0.1; done
  kill -9 -- "-$server" 2>/dev/null || true
  server=
}
trap stop EXIT

has_package() { dpkg-query -Wf '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

measure() { # LABEL PEER
  local load=(./xload message --label "$1" --target "127.0.0.1:$(port "$2")" --domain bench.test --user u%d --pass pw
    --pid "$server" --json "$json" --max-secs 100 --pairs 100 --warm 1 --secs "$secs")
  (cd "$kit" && timeout 120 "${load[@]}" --window 10 --rate 1000 >/dev/null 2>>"$base/log.txt") || say "$1: load failed, see $base/log.txt"
  (cd "$kit" && timeout 120 "${load[@]}" --window 1 --modes tput >/dev/null 2>>"$base/log.txt") || say "$1: load failed, see $base/log.txt"
  timeout 120 "$node" "$here/acks.ts" "$(port "$2")" "$1" 100 1000 "$secs" >>"$json" 2>>"$base/log.txt" || say "$1: no acknowledgements"
}

accounts
for rep in $(seq "$reps"); do
  for variant in "${variants[@]}"; do
    peer=${variant%%-*} kind=${variant#*-}
    case $variant in
      ejabberd-sqlite) has_package erlang-p1-sqlite3 || { say "$variant left out: no package"; continue; } ;;
      prosody-sqlite) has_package lua-dbi-sqlite3 || { say "$variant left out: no package"; continue; } ;;
    esac
    if (exec 3<>"/dev/tcp/127.0.0.1/$(port "$peer")") 2>/dev/null; then say "$variant left out: its port is in use"; continue; fi
    say "repetition $rep: $variant"
    rm -rf "$work"; mkdir -p "$work"
    "start_$peer" "$kind"
    if wait_port "$(port "$peer")"; then sleep 1; measure "$variant" "$peer"; fi
    stop
  done
done
rm -rf "$work"
"$node" "$here/report.ts" "$json" "$reps" "${variants[@]}" > "$root/bench/results/durability.txt"
say "written: bench/results/durability.txt"
