#!/bin/sh
# Measures our tunnel beside rathole and ssh -L, in one run:
#
#   cargo install rathole --root DIR --no-default-features --features server,client
#   cargo build --profile release-lto --features replay --bins --examples
#   PATH="DIR/bin:$PATH" examples/tunnel_bench/peers.sh [OPTIONS OF tunnel_bench]
#
# Needs rathole in PATH, and Debian's openssh-server. Everything listens on
# 127.0.0.1, from port $BASE_PORT (19100) on, and ends with the script.
set -eu

base=${BASE_PORT:-19100}
service=$base rathole_control=$((base + 1)) rathole_begin=$((base + 2))
sshd_port=$((base + 3)) ssh_begin=$((base + 4))
directory=$(mktemp -d)
children=
# Not `jobs -p`: a shell need not know its jobs in a command substitution.
trap 'kill $children 2>/dev/null || :; rm -rf "$directory"' EXIT
trap 'exit 1' INT TERM

cat >"$directory/rathole.toml" <<EOF
[server]
bind_addr = "127.0.0.1:$rathole_control"
default_token = "benchmark"
[server.services.bench]
bind_addr = "127.0.0.1:$rathole_begin"
[client]
remote_addr = "127.0.0.1:$rathole_control"
default_token = "benchmark"
[client.services.bench]
local_addr = "127.0.0.1:$service"
EOF
rathole --server "$directory/rathole.toml" >"$directory/rathole-server.log" 2>&1 &
children="$children $!"
rathole --client "$directory/rathole.toml" >"$directory/rathole-client.log" 2>&1 &
children="$children $!"

mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f "$directory/host"
ssh-keygen -q -t ed25519 -N '' -f "$directory/user"
cp "$directory/user.pub" "$directory/authorized"
/usr/sbin/sshd -D -e -f /dev/null -p "$sshd_port" -h "$directory/host" \
    -o ListenAddress=127.0.0.1 -o AuthorizedKeysFile="$directory/authorized" \
    -o StrictModes=no -o UsePAM=no -o PidFile=none >"$directory/sshd.log" 2>&1 &
children="$children $!"
sleep 1
ssh -N -F /dev/null -p "$sshd_port" -i "$directory/user" \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    -L "127.0.0.1:$ssh_begin:127.0.0.1:$service" 127.0.0.1 >"$directory/ssh.log" 2>&1 &
children="$children $!"
sleep 1

target/release-lto/examples/tunnel_bench target/release-lto/ministream-replay \
    --service "127.0.0.1:$service" \
    --peer "rathole=127.0.0.1:$rathole_begin" --peer "ssh=127.0.0.1:$ssh_begin" "$@" || {
    tail -n 5 "$directory"/*.log >&2
    exit 1
}
