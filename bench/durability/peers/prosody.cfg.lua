-- Prosody with its archive on: modules as in Debian's configuration where they bear on messages, everything else as in
-- the yardstick's lean one. Environment: WORK, TLS, ARCHIVE (off, internal, sqlite).
local work, archive = os.getenv("WORK") .. "/", os.getenv("ARCHIVE")
run_as_root = true
data_path = work .. "data"
pidfile = work .. "server.pid"
log = { warn = work .. "server.log" }
network_backend = "epoll"
network_settings = { tcp_backlog = 1024 }
interfaces = { "127.0.0.1" }
c2s_ports = { 15222 }
c2s_direct_tls_ports = { }
s2s_ports = { }
modules_enabled = { "disco", "roster", "saslauth", "tls", "ping", "posix", "smacks" }
if archive ~= "off" then
	modules_enabled = { "disco", "roster", "saslauth", "tls", "ping", "posix", "smacks", "mam", "offline" }
end
modules_disabled = { "s2s" }
if archive == "off" then modules_disabled = { "s2s", "offline" } end
authentication = "internal_hashed"
default_archive_policy = true
-- Accounts stay in files in either case: only the archive is compared.
storage = "internal"
if archive == "sqlite" then
	storage = { accounts = "internal", roster = "internal", archive = "sql" }
	sql = { driver = "SQLite3", database = work .. "archive.sqlite" }
end
gc = { mode = "generational" }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
certificates = os.getenv("TLS")
VirtualHost "bench.test"
