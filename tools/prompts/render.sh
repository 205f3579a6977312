#!/bin/sh
# Renders the prompts that are missing, or whose words have changed: `make prompts`. The voice engine, its model and
# its voice are installed outside the repository, into $VOICES, through the ordinary package clients; nothing of them
# is shipped. Arguments go to render.py (`--force`, `--check`, ids).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
VOICES=${VOICES:-${XDG_CACHE_HOME:-$HOME/.cache}/wardline-voices}
mkdir -p "$VOICES"
if [ ! -x "$VOICES/venv/bin/python" ]; then
    python3 -m venv "$VOICES/venv"
fi
"$VOICES/venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
if [ ! -d "$VOICES/npm/package/voices" ]; then
    mkdir -p "$VOICES/npm"
    (cd "$VOICES/npm" && npm pack --silent kokoro-js@1.2.1 >/dev/null && tar xzf kokoro-js-1.2.1.tgz)
fi
VOICES="$VOICES" exec "$VOICES/venv/bin/python" "$here/render.py" "$@"
