# docker build -t relay .      (docs/deploy.md says how it is run)

FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/relay
# With PostgreSQL and OpenTelemetry, which `requirements.lock` leaves out.
COPY deploy/requirements.lock ./
RUN pip --python /opt/relay/bin/python install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md rules.yaml ./
COPY message_templates ./message_templates
COPY relay ./relay
# What only builds stays behind; what Python compiles now, a read-only root need not write later.
RUN pip --python /opt/relay/bin/python install --no-cache-dir --no-deps --no-build-isolation . \
 && pip --python /opt/relay/bin/python uninstall --yes setuptools \
 && /opt/relay/bin/python -m compileall -q /opt/relay/lib

FROM python:3.13-slim
COPY --from=build /opt/relay /opt/relay
COPY rules.yaml /etc/relay/
# Any user may run it: an unknown one is in group 0 (OpenShift, `docker run --user 12345`).
RUN mkdir /etc/relay/message_templates && install -d -o 10001 -g 0 -m 2770 /data
ENV PATH=/opt/relay/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    RELAY_RULES=/etc/relay/rules.yaml RELAY_TEMPLATES=/etc/relay/message_templates \
    RELAY_JOURNAL=sqlite:////data/relay.db RELAY_LISTEN=0.0.0.0:8080
WORKDIR /etc/relay
# The journal lives on the volume: what is acknowledged survives the container.
VOLUME /data
EXPOSE 8080
USER 10001:0

HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
CMD ["relay", "serve"]
