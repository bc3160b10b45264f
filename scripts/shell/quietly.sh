# Sourced by the scripts beside it: runs a command with its output hidden unless it fails.
# shellcheck shell=bash

# quietly LABEL LOG COMMAND...
# One line of progress on stderr while COMMAND runs; where it fails, the end of what it said, and its status.
quietly() {
    local label=$1 log=$2 status=0 started=$SECONDS child
    shift 2
    mkdir -p "$(dirname "$log")"
    if [[ ! -t 2 ]]; then
        printf '%s ...\n' "$label" >&2
        "$@" >"$log" 2>&1 || status=$?
    else
        "$@" >"$log" 2>&1 &
        child=$!
        while kill -0 "$child" 2>/dev/null; do
            printf '\r\033[K%s ... %ds  %s' "$label" "$((SECONDS - started))" "$(last_progress "$log")" >&2
            sleep 0.2
        done
        wait "$child" || status=$?
        printf '\r\033[K' >&2
    fi
    if ((status != 0)); then
        printf '%s failed (status %d). The end of %s:\n\n' "$label" "$status" "$log" >&2
        tail -n 40 "$log" >&2
    fi
    return "$status"
}

# The newest "[12/345]" that a build printed, or nothing.
last_progress() {
    tail -c 400 "$1" 2>/dev/null | grep -oE '\[[0-9]+/[0-9]+\]' | tail -n 1 || true
}
