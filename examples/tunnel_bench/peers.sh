#!/bin/sh
# Measures our tunnel beside rathole (plain, with noise, with TLS) and ssh -L, in one run:
#
#   cargo install rathole --root DIR --no-default-features --features server,client,noise,tls
#   cargo build --profile release-lto --features replay --bins --examples
#   PATH="DIR/bin:$PATH" examples/tunnel_bench/peers.sh [OPTIONS OF tunnel_bench]
#
# Needs rathole in PATH, and Debian's openssh-server and openssl. Everything listens on
# 127.0.0.1, from port $BASE_PORT (19100) on, and ends with the script.
set -eu

base=${BASE_PORT:-19100}
service=$base sshd_port=$((base + 1)) ssh_begin=$((base + 2))
directory=$(mktemp -d)
children=
# Not `jobs -p`: a shell need not know its jobs in a command substitution.
trap 'kill $children 2>/dev/null || :; rm -rf "$directory"' EXIT
trap 'exit 1' INT TERM

# start_rathole NAME PORT SERVER_TRANSPORT CLIENT_TRANSPORT: its server on PORT, the tunnel's
# beginning on the next one.
start_rathole() {
    cat >"$directory/$1.toml" <<EOF
[server]
bind_addr = "127.0.0.1:$2"
default_token = "benchmark"
[server.services.bench]
bind_addr = "127.0.0.1:$(($2 + 1))"
$(printf "$3" server)
[client]
remote_addr = "127.0.0.1:$2"
default_token = "benchmark"
[client.services.bench]
local_addr = "127.0.0.1:$service"
$(printf "$4" client)
EOF
    for end in server client; do
        rathole --$end "$directory/$1.toml" >"$directory/$1-$end.log" 2>&1 &
        children="$children $!"
    done
    peers="$peers --peer $1=127.0.0.1:$(($2 + 1))"
}

peers=
start_rathole rathole $((base + 10)) '' ''

# The server's key is pinned, as over tls:// with --to.
rathole --genkey >"$directory/genkey"
key() {
    sed -n "/$1 Key/{n;p;}" "$directory/genkey"
}
noise='[%s.transport]\ntype = "noise"\n'
start_rathole rathole-noise $((base + 20)) \
    "$noise[server.transport.noise]\nlocal_private_key = \"$(key Private)\"\n" \
    "$noise[client.transport.noise]\nremote_public_key = \"$(key Public)\"\n"

openssl req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost \
    -keyout "$directory/key.pem" -out "$directory/certificate.pem" 2>/dev/null
openssl pkcs12 -export -passout pass:benchmark -out "$directory/identity.p12" \
    -inkey "$directory/key.pem" -in "$directory/certificate.pem"
tls='[%s.transport]\ntype = "tls"\n'
start_rathole rathole-tls $((base + 30)) \
    "$tls[server.transport.tls]\npkcs12 = \"$directory/identity.p12\"\npkcs12_password = \"benchmark\"\n" \
    "$tls[client.transport.tls]\ntrusted_root = \"$directory/certificate.pem\"\nhostname = \"localhost\"\n"

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

# shellcheck disable=SC2086 # Options are words.
target/release-lto/examples/tunnel_bench target/release-lto/ministream-replay \
    --service "127.0.0.1:$service" $peers --peer "ssh=127.0.0.1:$ssh_begin" "$@" || {
    tail -n 5 "$directory"/*.log >&2
    exit 1
}
