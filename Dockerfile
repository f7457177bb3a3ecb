# polysema key me --scope write                 (prints a key, and the line that stands for it in POLYSEMA_KEYS)
# docker build -t polysema .
# docker run -p 8502:8502 -e POLYSEMA_KEYS='me:write:…' -v polysema:/data --stop-timeout 45 polysema
FROM python:3.12-slim
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c constraints.txt '.[models,serve]' \
 && rm -rf /src \
 && useradd --system --uid 10001 --home-dir /data --create-home polysema
USER 10001
WORKDIR /data
ENV POLYSEMA_HOME=/data POLYSEMA_ADDRESS=0.0.0.0 POLYSEMA_PORT=8502 NUMBA_CACHE_DIR=/data/numba
VOLUME /data
EXPOSE 8502
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8502/health', timeout=4)"]
CMD ["polysema", "serve"]
