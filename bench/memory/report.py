"""Lines of the load generator to a table: KiB of resident memory per idle connection, median CPU of the rest (first logins warm up)."""
import collections
import json
import statistics
import sys

idle, cpu, seen, faults = {}, collections.defaultdict(list), collections.Counter(), 0
for text in open(sys.argv[1]):
    line = json.loads(text)
    name = line["label"]
    faults += sum(line.get(key) or 0 for key in ("lost", "login_failed", "lost_connections"))
    if line["scenario"] == "idle":
        idle[name, line["n"]] = line["kib_per_conn_rss"]
    elif line["scenario"] == "login":
        seen[name] += 1
        if seen[name] % 2 == 0:
            cpu["login, us", name].append(line["cpu_us_per_login"])
    elif "cpu_us_per_msg" in line:
        cpu[f"message, window {line['window']}, us", name].append(line["cpu_us_per_msg"])

names = ["plain", "compact", "openssl"]
print(f"\n{'':32}" + "".join(f"{name:>24}" for name in names))
for n in sorted({n for _, n in idle}):
    print(f"{f'idle, {n} connections, KiB each':32}" + "".join(f"{idle[name, n]:24.1f}" for name in names))
for what in dict.fromkeys(what for what, _ in cpu):
    cells = [cpu[what, name] for name in names]
    print(f"{what:32}" + "".join(f"{f'{statistics.median(c):.1f} ({min(c):.1f}..{max(c):.1f})':>24}" for c in cells))
print(f"\nlost messages, failed logins, lost connections: {faults}")
