# The production image: MariaDB and Redis are elsewhere, so the extra `embedded` is left out.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements-tools.lock requirements.lock ./
# The tools stay in this stage; only /venv goes on, with the versions of the lock and no installer.
RUN python -m venv /tools && /tools/bin/pip install --require-hashes -r requirements-tools.lock \
    && python -m venv --without-pip /venv \
    && /tools/bin/uv pip install --no-cache --python /venv/bin/python --require-hashes -r requirements.lock
COPY pyproject.toml LICENSE alembic.ini ./
COPY evosync evosync
COPY templates templates
COPY static static
COPY alembic alembic
RUN /tools/bin/python -m hatchling build -t wheel \
    && /tools/bin/uv pip install --no-cache --python /venv/bin/python --no-deps --compile-bytecode dist/*.whl

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="EvoSync" org.opencontainers.image.licenses="MIT"
# Nothing that installs stays, nor what Python could make an installer of again.
RUN useradd --system --uid 10001 --home-dir /data --create-home evosync \
    && python -m pip uninstall --yes --quiet --root-user-action=ignore setuptools wheel pip \
    && rm -r /usr/local/lib/python3.*/ensurepip
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    EVOSYNC_HOST=0.0.0.0 EVOSYNC_DATA_DIR=/data LOG_FORMAT=json
USER 10001
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# A start may wait ten minutes for another process's migrations.
HEALTHCHECK --interval=30s --timeout=10s --start-period=660s --retries=3 CMD ["evosync", "check"]
ENTRYPOINT ["evosync"]
CMD ["serve"]
