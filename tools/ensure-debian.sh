#!/usr/bin/env bash
# Installs the named Debian packages that are missing, as root or with sudo; does nothing when all are there.
# usage: tools/ensure-debian.sh PACKAGE…
set -euo pipefail

missing=()
for package in "$@"; do
  status=$(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null || true)
  [[ $status == 'install ok installed' ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  exit 0
fi

fail() {
  echo "The tests need the Debian packages: ${missing[*]}" >&2
  echo "$1" >&2
  exit 1
}

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null && sudo -n true 2>/dev/null || fail 'Install them with: sudo apt-get install '"${missing[*]}"
  as_root=(sudo -n)
fi
command -v apt-get >/dev/null || fail 'This system has no apt-get; install what provides the same programs.'

export DEBIAN_FRONTEND=noninteractive
echo "Installing ${missing[*]}"
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install --yes --quiet --no-install-recommends "${missing[@]}")
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! "${install[@]}" >"$log" 2>&1; then
  # The package lists may be missing or old: refresh them once.
  "${as_root[@]}" timeout 300 apt-get update --quiet >>"$log" 2>&1 || true
  "${install[@]}" >>"$log" 2>&1 || { tail -n 20 "$log" >&2; fail 'apt-get could not install them.'; }
fi
