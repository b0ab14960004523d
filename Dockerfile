# syntax=docker/dockerfile:1
# Two stages: the first installs the locked packages into a virtual environment, the second carries just that
# (less the headers, stubs, tests, debugging symbols, highlighters, RPC and S3 libraries that packages bring along and
# nothing here loads).
# Couchbase's client, 25 MB, is left out as well: streamsink/database/README.md says how to add it.

FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends binutils cargo && pip install "uv>=0.8,<1"
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN uv venv /opt/streamsink && uv pip sync --python /opt/streamsink/bin/python --require-hashes requirements.lock
COPY streamsink streamsink
# Without the native library the image would work, and read JSON at a quarter of the speed and Avro at a third.
RUN uv pip install --python /opt/streamsink/bin/python --no-deps . \
    && /opt/streamsink/bin/python -c "from streamsink.native.library import load; assert load()" \
    && uv pip uninstall --python /opt/streamsink/bin/python couchbase grpcio setuptools \
    && find /opt/streamsink -type d "(" -name tests -o -name include ")" -prune -exec rm -r {} + \
    && find /opt/streamsink -path "*/pygments/lexers/*" -type f ! -name "__init__*" ! -name "_mapping*" ! -name "python*" -delete \
    && find /opt/streamsink "(" -name "*arrow_flight*" -o -name "*arrow_s3*" -o -name "*.py[ix]" -o -name "*.px[id]" ")" -delete \
    && find /opt/streamsink -type f -name "*.so*" ! -path "*.libs/*" -exec strip --strip-unneeded {} +

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="streamsink" \
      org.opencontainers.image.description="Archives Kafka topics into object storage, each record exactly once, and replays them" \
      org.opencontainers.image.licenses="Apache-2.0"
# The newest tini of the release is wanted, with its security fixes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 streamsink \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin streamsink
COPY --from=build /opt/streamsink /opt/streamsink
ENV PATH=/opt/streamsink/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8083
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "streamsink"]
CMD ["worker", "--config", "/etc/streamsink/worker.yaml", "--connectors", "/etc/streamsink/connectors.d"]
