# The production image: API, workers and migrations. No embedded servers, no simulators, no compiler.
# A release gives PYTHON_IMAGE with its digest (docs/OPERATING.md).
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r requirements.txt

FROM ${PYTHON_IMAGE}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    KIVUKO_ENVIRONMENT=production \
    KIVUKO_LOG_FORMAT=json \
    KIVUKO_API__HOST=0.0.0.0
RUN groupadd --system --gid 10001 kivuko \
    && useradd --system --uid 10001 --gid kivuko --home-dir /app --no-create-home kivuko
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY activities activities
COPY api api
COPY cli cli
COPY core core
COPY inbound inbound
COPY ledger ledger
COPY migrations migrations
COPY models models
COPY notices notices
COPY providers providers
COPY reports reports
COPY store store
COPY temporal temporal
COPY workers workers
COPY workflows workflows
RUN rm -rf cli/local \
    && printf '#!/bin/sh\nexec python -m cli.main "$@"\n' > /usr/local/bin/kivuko \
    && chmod 0755 /usr/local/bin/kivuko
USER kivuko
EXPOSE 8000
# The API's own; compose switches it off or replaces it for workers and migrations.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=6 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
CMD ["kivuko", "api"]
