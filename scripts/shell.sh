# Functions of the scripts in this folder. The scripts source this file with the root of the repository in $root.
# shellcheck shell=bash disable=SC2034,SC2154

# Python programs in the folders below import servers.py and table.py from here, and write no bytecode caches.
export PYTHONPATH=$root/scripts PYTHONDONTWRITEBYTECODE=1

# usage: prints the comment at the beginning of the calling script.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# warn MESSAGE: prints one line to stderr, bold and yellow on a terminal.
warn() {
    local bold='' plain=''
    if [[ -t 2 ]]; then bold=$'\033[1;33m' plain=$'\033[0m'; fi
    printf '%s%s: %s%s\n' "$bold" "${0##*/}" "$1" "$plain" >&2
}

# quietly LABEL LOG COMMAND...: runs COMMAND with its output in LOG, and shows one line of progress on stderr. If COMMAND
# fails, prints the end of LOG and returns its status.
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

# Prints the last progress "[12/345]" of a build log, or nothing.
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

# The Swift runtime is linked statically, so that the binary needs no installed Swift. The two compiler flags are for
# speed: optimization across modules, and no run-time checks for overlapping access, which debug builds have. Symbols
# are not exported: nothing looks them up (C modules of Lua use liblua), and their names take 3 MB.
release_flags=(
    -c release --static-swift-stdlib -Xswiftc -cross-module-optimization -Xswiftc -enforce-exclusivity=unchecked
    -Xlinker --no-export-dynamic
)

# python_environment FOLDER REQUIREMENTS: makes a virtual environment with these packages of PyPI. It is rebuilt if the
# list has changed. The list is copied into FOLDER last, so that an incomplete environment is rebuilt.
python_environment() {
    local folder=$1 requirements=$2
    cmp -s "$requirements" "$folder/requirements.txt" && return
    rm -rf "$folder"
    quietly "Creating $folder" "$folder.log" python3 -m venv "$folder"
    quietly "Installing the packages of $requirements" "$folder.log" \
        "$folder/bin/python" -m pip install --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$folder/requirements.txt"
}

# All requests of the scripts are on loopback and must not go through a proxy of the environment.
loopback_only() { export NO_PROXY='*' no_proxy='*'; }
