#!/usr/bin/env bash
# Installs what building and testing need and this machine lacks: install.sh [build] [peers].
# Debian packages through apt-get (with sudo when not root); Python packages into target/peers, never system-wide.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else
    echo "wardline: installing Debian packages needs root: sudo $*" >&2
    sudo "$@"
  fi
}

need_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  echo "wardline: installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

build() {
  need_packages build-essential mold
  command -v cargo >/dev/null || {
    echo "wardline: no Rust toolchain found. Install one (rustup, stable 1.94 or newer) and run make again." >&2
    exit 1
  }
}

peers() {
  need_packages sip-tester baresip-core linphone-cli python3-venv
  if [ ! -x target/peers/bin/python ]; then
    python3 -m venv target/peers
  fi
  target/peers/bin/python -c 'import pjsua2' 2>/dev/null ||
    target/peers/bin/pip install --quiet --disable-pip-version-check pjsua2-python==2.15.1
  [ -x target/peers/bin/taplo ] || target/peers/bin/pip install --quiet --disable-pip-version-check taplo==0.9.3
}

for part in "${@:-build}"; do
  case "$part" in
    build) build ;;
    peers) peers ;;
    *) echo "install.sh: unknown part '$part' (build, peers)" >&2; exit 64 ;;
  esac
done
