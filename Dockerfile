# Two stages from one base; the second holds an environment, profiles and nothing that builds.
# Works with a read-only root, no capabilities, and the classic builder. See docs/container.md.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /build
RUN python -m venv /opt/skalp-bot
COPY requirements.lock ./
RUN /opt/skalp-bot/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
      --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY aurora ./aurora
COPY skalp_bot ./skalp_bot
RUN /opt/skalp-bot/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
      --no-deps --no-build-isolation . \
 && /opt/skalp-bot/bin/python -m pip uninstall -q -y setuptools pip \
 && find /opt/skalp-bot -name __pycache__ -prune -exec rm -rf {} + \
 && /opt/skalp-bot/bin/python -m compileall -q -j 0 /opt/skalp-bot/lib

FROM ${BASE_IMAGE}
ENV PATH=/opt/skalp-bot/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 AURORA__METRICS__PORT=9464
RUN groupadd --gid 10001 skalp \
 && useradd --uid 10001 --gid skalp --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin skalp \
 && install -d -o skalp -g skalp -m 0700 /var/lib/skalp-bot /run/skalp-bot
COPY --from=build /opt/skalp-bot /opt/skalp-bot
WORKDIR /app
COPY configs ./configs
COPY profiles ./profiles
# Commands look below ./state for a daemon: `docker compose exec daemon skalp-bot status` needs no path.
RUN ln -s /var/lib/skalp-bot state
USER 10001:10001
VOLUME /var/lib/skalp-bot
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-m", "skalp_bot.obs.probe", "http://127.0.0.1:9464/livez"]
ENTRYPOINT ["skalp-bot"]
CMD ["--help"]
