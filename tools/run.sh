#!/usr/bin/env bash
# run.sh BINARY DATA: starts the sample hospital, places one real call through it, and stays up for real phones.
#
# Needs nothing but bash. Started again, it keeps tickets and passwords; beside a server that runs on DATA already, it
# only places the call. ONCE=1 stops the server after the call (for scripts); the exit code is then the call's.
# AMARA_PASSWORD: the password of Amara's phone, where you have set one of your own.
set -euo pipefail

fail() { echo "wardline: $*" >&2; exit 1; }
say() { printf '\n\033[1m── %s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n── %s\n' "$*"; }

[ $# = 2 ] || { echo "usage: tools/run.sh BINARY DATA" >&2; exit 64; }
[ -x "$1" ] || fail "$1 is not there; build it first (make build)"
wardline=$(realpath "$1")
data=$(realpath -m "$2")
cd "$(dirname "$0")/.."
config=${WARDLINE_CONFIG:-sip-config}
export WARDLINE_CONFIG=$config WARDLINE__DATA_DIR=$data
phone=amara analyst=amara-osei ward=4710 hotline=7100
passwords=$data/sample-passwords.txt
log=$data/serve.log

# The status line of GET PATH at the metrics address.
ask() {
  (exec 3<>"/dev/tcp/${metrics%:*}/${metrics##*:}" && printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3 && head -n 1 <&3) 2>/dev/null || true
}

# -- Check ------------------------------------------------------------------------------------------------------------

say "checking $config"
"$wardline" check
# The node as configured, overrides of the environment included.
node=$("$wardline" check --format json)
metrics=$(sed -n 's/^ *"metrics": "\(.*\)",*$/\1/p' <<<"$node")
sip=$(sed -n '/^ *"sip": \[/{n;s/^ *"\(.*\)",*$/\1/p;}' <<<"$node")
[ -n "$sip" ] && [ -n "$metrics" ] || fail "$config/wardline.toml needs a listener and a metrics address"
mkdir -p "$data"
chmod 700 "$data"

server=
stop() {
  trap - INT TERM EXIT
  [ -z "${answering:-}" ] || kill "$answering" 2>/dev/null || true
  if [ -n "$server" ] && kill -TERM "$server" 2>/dev/null; then
    say "stopping: new calls are refused, calls that are up may finish"
    wait "$server" || true
  fi
  exit "${1:-0}"
}
trap 'stop 130' INT
trap 'stop 143' TERM
trap 'stop $?' EXIT

# -- Start ------------------------------------------------------------------------------------------------------------

# What was edited becomes a version. A server that runs takes it at once, else it runs from the start below.
say "publishing $config"
"$wardline" publish -m "make run"

health=$("$wardline" doctor || true)
if grep -Eq '^(ok|warn) +server +version' <<<"$health"; then
  say "a server runs on $data already; it is used as it is"
else
  if trouble=$(grep -A1 '^fail' <<<"$health"); then
    printf '%s\n' "$trouble" >&2
    fail "the server cannot start here; is another one (or another SIP program) running on $sip?"
  fi
  # Phones that have no password yet, by name; none of yours is ever changed.
  without=$(sed -n 's/.*phones cannot register: //p' <<<"$health" | tr -d ',')
  if [ -n "$without" ]; then
    say "making passwords for the sample's phones: $passwords"
    umask 077
    for user in $without; do
      printf '%s %s\n' "$user" "$("$wardline" analysts set-password "$user" --generate 2>/dev/null)" >>"$passwords"
    done
  fi
  say "starting the server; its log is $log"
  "$wardline" serve >>"$log" 2>&1 &
  server=$!
  for _ in $(seq 300); do
    case $(ask /readyz) in *" 200 "*) break ;; esac
    kill -0 "$server" 2>/dev/null || { tail -n 20 "$log" >&2; server=; fail "the server ended; the last lines of its log are above"; }
    sleep 0.1
  done
  case $(ask /readyz) in *" 200 "*) ;; *) fail "the server is not ready after 30 s; see $log" ;; esac
  echo "ready: SIP on $sip, /healthz /readyz /metrics on $metrics"
fi
"$wardline" analysts list --hospital mercy-harbor | awk '/ signed-out /{ print $1 }' | while read -r id; do
  "$wardline" analysts set-state "$id" available --reason "sample" >/dev/null
done

# -- One call ---------------------------------------------------------------------------------------------------------

password=${AMARA_PASSWORD:-$([ ! -f "$passwords" ] || awk -v user="$phone" '$1 == user { found = $2 } END { print found }' "$passwords")}
paused=$("$wardline" analysts list --hospital mercy-harbor | grep -E '^amara-osei .* paused' || true)
called=1
if [ -n "$paused" ]; then
  say "no test call: Amara Osei is paused, so her phone is not rung. She is back with: $wardline analysts set-state amara-osei available"
elif [ -z "$password" ]; then
  say "no test call: Amara's phone has a password of your own; run again with AMARA_PASSWORD=…"
else
  say "a phone on 4 West (extension $ward) calls $hotline; Amara Osei's phone answers"
  AMARA=$password "$wardline" answer --listen "${sip%:*}:0" --register "sip:$sip" --user "$phone" --password-env AMARA \
    --tone 700 --expect-tone 1000 --on-caller-bye '1@3s' --calls 1 --for 45s >"$data/.answer" 2>"$data/.answer-log" &
  answering=$!
  for _ in $(seq 100); do
    grep -q '^registered' "$data/.answer-log" && break
    kill -0 "$answering" 2>/dev/null || break
    sleep 0.1
  done
  if grep -q '^registered' "$data/.answer-log"; then
    called=0
    "$wardline" call "sip:$hotline@$sip" --from "$ward" --bind "${sip%:*}:0" --tone 1000 --expect-tone 700 \
      --duration 10s --ladder || called=$?
    say "the analyst's phone, after the caller hung up: \"Solved? One yes, two no.\" and key 1"
    wait "$answering" || called=$?
    answering=
    cat "$data/.answer"
    number=$("$wardline" tickets list --from "$ward" --limit 1 | awk '{ print $1 }')
    say "its ticket: wardline tickets show $number"
    "$wardline" tickets show "$number"
    if [ "$called" = 0 ]; then
      say "the call went well: both sides heard each other (measured)"
    else
      say "the call did NOT go well (exit code $called); the log is $log"
    fi
  else
    cat "$data/.answer-log" >&2
    say "no test call: Amara's phone could not register. With a password of your own: AMARA_PASSWORD=…"
  fi
fi
[ -z "${ONCE:-}" ] || stop "$called"

# -- Your phones ------------------------------------------------------------------------------------------------------

say "your own phones"
standing=$("$wardline" golive --hospital mercy-harbor || true)
case $standing in
  *" is in rehearsal"*) rehearsal="Mercy Harbor is in rehearsal: calls are answered as ever, and stay out of reports. What is open: $1 golive" ;;
  *) rehearsal="Mercy Harbor is live: $1 golive" ;;
esac
cat <<END
An analyst's phone registers as $phone at $sip; its password stands in
  $passwords
  baresip:  <sip:$phone@$sip>;auth_user=$phone;auth_pass=PASSWORD;regint=300
  linphone: username $phone, domain ${sip%:*}, transport UDP, a port other than ${sip##*:}
A ward phone needs no password here: call sip:$hotline@$sip as any extension of 4 West (4700-4715)
  baresip:  <sip:4711@$sip>;regint=0          then: /dial sip:$hotline@$sip
  built in: $1 call sip:$hotline@$sip --from 4711 --ladder
$rehearsal
README.md has both phones step by step. Then look:
  $1 tickets list        $1 explain NUMBER        $1 doctor
END
[ "$data" = "$(realpath -m data)" ] || echo "(in another terminal first: export WARDLINE__DATA_DIR=$data)"
[ -n "$server" ] || { echo; exit "$called"; }
say "up until Ctrl-C"
trap 'stop 0' INT TERM
while kill -0 "$server" 2>/dev/null; do wait "$server" || true; done
server=
fail "the server ended by itself; see $log"
