# The server as an image: `docker build --tag crude-functions .`. docs/deployment.md says how to run it.
# Everything that the program imports is fetched here, so that a start needs no network.

FROM node:22-bookworm-slim AS build
# The version that .ci/run tests with.
RUN npm install --global --prefix /opt/deno deno@2.9.6
WORKDIR /opt/crude-functions
ENV DENO_DIR=/opt/deno-cache
COPY main.ts deno.json deno.lock ./
COPY src ./src
COPY workers ./workers
COPY static ./static
# The pages show it.
COPY docs ./docs
COPY deploy/backup.sh ./deploy/
RUN /opt/deno/bin/deno install --frozen --entrypoint main.ts src/cli/main.ts
# The launcher in bin is a script for Node.js; this is the program itself.
RUN install -D -m 0755 /opt/deno/lib/node_modules/deno/deno /opt/bin/deno

# Debian, because the walls around functions use its setpriv, prlimit and perl (see "Walls" in docs/security-model.md).
FROM debian:bookworm-slim
COPY --from=build /opt/bin/deno /usr/local/bin/deno
COPY --from=build /opt/deno-cache /opt/deno-cache
COPY --from=build /opt/crude-functions /opt/crude-functions
# A number, so that Kubernetes can see that it is not root; no account is needed.
RUN install -d -o 10001 -g 10001 -m 0700 /data /code /backups && install -d -o 10001 -g 10001 -m 0755 /cache
WORKDIR /opt/crude-functions
ENV DENO_DIR=/opt/deno-cache DENO_NO_UPDATE_CHECK=1 NO_COLOR=1 HOME=/tmp \
    HOST=0.0.0.0 PORT=8000 DATA_DIR=/data CODE_DIR=/code CACHE_DIR=/cache
USER 10001:10001
VOLUME ["/data", "/code", "/cache", "/backups"]
EXPOSE 8000
STOPSIGNAL SIGTERM
# The image has no curl; bash can open a connection.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/$PORT && printf 'GET /health HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == 'HTTP/1.1 200 '* ]]"]
# `deno task start`, without a process in between: Deno itself gets SIGTERM. --cached-only: nothing is fetched.
ENTRYPOINT ["/usr/local/bin/deno", "run", "--cached-only", "--frozen", "--quiet", \
  "--v8-flags=--max-semi-space-size=8,--enable-experimental-regexp-engine,--enable-experimental-regexp-engine-on-excessive-backtracks", \
  "--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-run", "--allow-sys", "main.ts"]
