# Sourced by the scripts beside it: how `moonrill` is built for use and for measuring.
# shellcheck shell=bash disable=SC2034

# The Swift runtime is linked in: nothing to install beside the binary. The two compiler flags are for speed (README,
# performance): reading across modules, and no run-time checks for overlapping access, which the debug tests make.
release_build=(
    swift build -c release --static-swift-stdlib --product moonrill
    -Xswiftc -cross-module-optimization -Xswiftc -enforce-exclusivity=unchecked
)
