# Rollcall in a container: the release of Node that package.json pins, production dependencies, a user without rights.
#
#   docker build -t rollcall .
#   docker run -e ROLLCALL_HOSTS=chat.example -p 5222:5222 -p 5223:5223 -p 5280:5280 -p 5443:5443 -v rollcall:/var/lib/rollcall rollcall
#
# Without hosts the server is a try-out that only listens on loopback addresses, inside the container.
#
# Docker's own seccomp profile forbids io_uring. The server then writes socket by socket, which costs more where presence goes to
# many (docs/adr/0020-foreign-functions.md); a profile that allows the three system calls of io_uring changes that.
#
# With a config file: -v "$PWD/rollcall.yaml:/etc/rollcall/rollcall.yaml:ro" and the command
# `start --config /etc/rollcall/rollcall.yaml --data /var/lib/rollcall`.

FROM node:26.10.0-bookworm-slim AS build
WORKDIR /opt/rollcall
COPY . .
# The base image is the pinned Node, so the platform packages of Node (optional dependencies) stay out.
RUN npm ci --omit=dev --omit=optional && npm cache clean --force

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production
RUN groupadd --system rollcall \
  && useradd --system --gid rollcall --home-dir /var/lib/rollcall --shell /usr/sbin/nologin rollcall \
  && install --directory --owner=rollcall --group=rollcall --mode=0750 /var/lib/rollcall
COPY --from=build /opt/rollcall /opt/rollcall
RUN ln -s /opt/rollcall/tools/rollcall.mjs /usr/local/bin/rollcall
WORKDIR /var/lib/rollcall
USER rollcall
VOLUME /var/lib/rollcall
# Clients with STARTTLS, clients with direct TLS, HTTP and HTTPS (web chat, WebSocket, BOSH). Health and metrics are on
# 127.0.0.1:5281; ROLLCALL_ADMIN__ADDRESS opens them.
EXPOSE 5222 5223 5280 5443
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:5281/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node is process 1 and gets SIGTERM itself: the server stops gracefully. The flags are those that tools/rollcall.mjs starts
# the server with; given here, it needs no second process.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "--max-semi-space-size=4", "--initial-old-space-size=96", "--no-allocation-site-pretenuring", "/opt/rollcall/tools/rollcall.mjs"]
CMD ["start", "--data", "/var/lib/rollcall"]
