# Build with everything, run with almost nothing.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      gcc libc6-dev pkg-config libssl-dev libxml2-dev libxmlsec1-dev libclang-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# Line tables are most of the program's size; names for a backtrace stay.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --release --bin fedbridge \
 && mkdir /out \
 && strip --strip-debug -o /out/fedbridge target/release/fedbridge

FROM debian:bookworm-slim
# The folder of the volume is made here, because an engine would make it for root alone.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      libxmlsec1-openssl ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --no-log-init \
      --home-dir /var/lib/fedbridge --shell /usr/sbin/nologin fedbridge \
 && install -d -o fedbridge -g fedbridge -m 0750 /var/lib/fedbridge /var/lib/fedbridge/data
COPY --from=build /out/fedbridge /usr/local/bin/fedbridge
USER 10001:10001
WORKDIR /var/lib/fedbridge
# data/ holds the SQLite store and the master key: keep it on a volume.
VOLUME /var/lib/fedbridge/data
# A container's own loopback is out of reach for probes and Prometheus, so both listeners are open
# to its network. Publish 8080 alone: 9090 asks nobody who they are.
ENV FEDBRIDGE_HTTP_LISTEN=0.0.0.0:8080 \
    FEDBRIDGE_MANAGEMENT_LISTEN=0.0.0.0:9090
EXPOSE 8080
STOPSIGNAL SIGTERM
# bash opens the connection itself; the image has no HTTP client.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["bash", "-c", "\
exec 3<>/dev/tcp/${FEDBRIDGE_MANAGEMENT_LISTEN/://} \
&& printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 \
&& read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["fedbridge"]
CMD ["serve"]
