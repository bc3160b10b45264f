# Three stages: `tools` has what building, testing and checking need (also the development container), `build` builds the
# command, and the last one holds the command alone.
#
#   docker build -t moonrill . && docker run --rm -i -e DEEPSEEK_API_KEY moonrill ask "Why is the sky blue?"

FROM swift:6.3-bookworm AS tools
COPY scripts/setup scripts/shell.sh /tmp/scripts/
RUN /tmp/scripts/setup --test --check --bench --python --install && rm -rf /var/lib/apt/lists/*

FROM tools AS build
WORKDIR /moonrill
COPY . .
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN root=$PWD && source scripts/shell.sh && build_moonrill "Building Moonrill" .build/release.log "${release_flags[@]}" && \
    strip -o /usr/local/bin/moonrill "$binary"

FROM debian:bookworm-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates libcurl4 liblua5.4-0 libsimdjson14 && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/moonrill /usr/local/bin/moonrill
WORKDIR /work
ENTRYPOINT ["moonrill"]
