# The HTTP server in a container: docs/operations.md, "Containers", says how to run it.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /source
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY notebooks notebooks
COPY mcp_server mcp_server
COPY toolkit toolkit
# An environment without pip, which a library brings along: what installs stays behind in this stage.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/toolkit \
    && pip --python /opt/toolkit/bin/python install --disable-pip-version-check \
        --constraint constraints.txt ".[postgres,redis,otel]" \
    && pip --python /opt/toolkit/bin/python uninstall --yes pip

FROM python:${PYTHON}
RUN pip uninstall --yes --root-user-action=ignore setuptools wheel pip \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/toolkit /opt/toolkit
# /data and /tmp are all that is written to, so that the rest may be read-only.
ENV PATH=/opt/toolkit/bin:$PATH \
    HOME=/data \
    XDG_DATA_HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOOLKIT_LOG_FORMAT=json \
    TOOLKIT_LOG_LEVEL=INFO
VOLUME /data
WORKDIR /data
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health', timeout=4)"]
ENTRYPOINT ["toolkit-mcp"]
CMD ["--http", "0.0.0.0:8080"]
