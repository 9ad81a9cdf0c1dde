FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md rules.yaml ./
COPY message_templates ./message_templates
COPY relay ./relay
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
 && useradd --system --home-dir /data --create-home --uid 10001 relay

# The journal lives on the volume: what is acknowledged survives the container.
ENV RELAY_JOURNAL=sqlite:////data/relay.db RELAY_LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
USER relay

HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
CMD ["relay", "serve"]
