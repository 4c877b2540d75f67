# Build with everything, run with almost nothing.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      gcc libc6-dev pkg-config libssl-dev libxml2-dev libxmlsec1-dev libclang-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --release --bin fedbridge \
 && install -D target/release/fedbridge /out/fedbridge

FROM debian:bookworm-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      libxmlsec1-openssl ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/fedbridge --create-home fedbridge
COPY --from=build /out/fedbridge /usr/local/bin/fedbridge
USER 10001
WORKDIR /var/lib/fedbridge
# data/ holds the SQLite store and the master key: keep it on a volume.
VOLUME /var/lib/fedbridge/data
ENV FEDBRIDGE_HTTP_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["fedbridge"]
CMD ["serve"]
