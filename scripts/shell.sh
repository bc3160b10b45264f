# Functions of the scripts in this folder. Sourced, with the root of the repository in $root; not run by itself.
# shellcheck shell=bash disable=SC2034,SC2154

# Python programs of the folders below import servers.py from here, and leave no caches.
export PYTHONPATH=$root/scripts PYTHONDONTWRITEBYTECODE=1

# usage: prints the comment at the head of the script that was called.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# warn MESSAGE: one conspicuous line on stderr.
warn() {
    local bold='' plain=''
    if [[ -t 2 ]]; then bold=$'\033[1;33m' plain=$'\033[0m'; fi
    printf '%s%s: %s%s\n' "$bold" "${0##*/}" "$1" "$plain" >&2
}

# quietly LABEL LOG COMMAND...
# Runs COMMAND with its output in LOG and one line of progress on stderr. If it fails: the end of LOG, and its status.
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

# build_moonrill LABEL LOG FLAG...: builds the command and sets `binary` to its path.
build_moonrill() {
    local label=$1 log=$2
    shift 2
    quietly "$label" "$log" swift build --product moonrill "$@"
    binary=$(swift build --product moonrill "$@" --show-bin-path)/moonrill
}

# The Swift runtime is linked in: nothing to install beside the binary. The two compiler flags are for speed:
# optimization across modules, and no run-time checks for overlapping access, which the debug tests make.
release_flags=(
    -c release --static-swift-stdlib -Xswiftc -cross-module-optimization -Xswiftc -enforce-exclusivity=unchecked
)

# python_environment FOLDER REQUIREMENTS: a virtual environment with these packages of PyPI. It is rebuilt if the list has
# changed, and is complete only once the list lies beside it.
python_environment() {
    local folder=$1 requirements=$2
    cmp -s "$requirements" "$folder/requirements.txt" && return
    rm -rf "$folder"
    quietly "Creating $folder" "$folder.log" python3 -m venv "$folder"
    quietly "Installing the packages of $requirements" "$folder.log" \
        "$folder/bin/python" -m pip install --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$folder/requirements.txt"
}

# Everything that scripts ask is on loopback; a proxy of the environment must not step in between.
loopback_only() { export NO_PROXY='*' no_proxy='*'; }
