#!/bin/sh
# examples.sh: the programs of examples/ talk to each other, and ncat joins them.  Run it on a kernel with SCTP:
#
#   tests/kernel/with-sctp tests/kernel/examples.sh DIRECTORY-OF-THE-BINARIES
#
# What one says reaches everyone, over IPv4 and IPv6, the one who said it too; a client that is killed hurts nobody.
set -u

bin=$(cd "${1:?usage: examples.sh DIRECTORY-OF-THE-BINARIES}" && pwd) || exit 2
dir=$(mktemp -d) && cd "$dir" || exit 2
pids=''
# shellcheck disable=SC2086 # a list of numbers
trap 'kill -9 $pids 2>/dev/null; rm -rf "$dir"' EXIT

fail() {
    echo "examples.sh: FAIL: $1" >&2
    tail -n 5 ./*.out ./*.err >&2
    exit 1
}

# until_true WHAT COMMAND...: the condition holds within ten seconds.
until_true() {
    what=$1 tries=200
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "$what"
        sleep 0.05
    done
    echo "ok: $what"
}

established() { [ "$(awk '$5 == 3' /proc/net/sctp/assocs | wc -l)" -ge "$1" ]; }
heard() { [ "$(grep -c "$1" "$2.out")" -eq 1 ]; }

"$bin/chat_server" 2013 2>server.err & pids="$pids $!"
until_true "the server listens" grep -q listening server.err

mkfifo ann.in bob.in
"$bin/chat_client" 127.0.0.1 <ann.in >ann.out 2>ann.err & ann=$! pids="$pids $!"
exec 3>ann.in
"$bin/chat_client" ::1 2013 <bob.in >bob.out 2>bob.err & pids="$pids $!"
exec 4>bob.in
# Both ends of an association are in the list, as they are on the same machine.
until_true "two clients are connected" established 4

echo "ann says hello" >&3
until_true "bob hears ann" heard "ann says hello" bob
until_true "ann hears herself" heard "ann says hello" ann
echo "bob says hello" >&4
until_true "ann hears bob" heard "bob says hello" ann
until_true "bob hears himself" heard "bob says hello" bob

if command -v ncat >/dev/null; then
    mkfifo eve.in
    ncat --sctp 127.0.0.1 2013 <eve.in >eve.out 2>eve.err & pids="$pids $!"
    exec 5>eve.in
    until_true "ncat is connected" established 6
    echo "eve has only ncat" >&5
    until_true "ann hears ncat" heard "eve has only ncat" ann
    until_true "ncat hears itself" heard "eve has only ncat" eve
else
    echo "skip: ncat is not installed"
fi

kill -9 "$ann"
echo "is ann gone" >&4
until_true "bob hears himself when ann was killed" heard "is ann gone" bob
"$bin/chat_client" 127.0.0.1 2014 </dev/null 2>nobody.err && fail "a client connects where nobody listens"
until_true "a refused client says what to look at" grep -q 'is the server running' nobody.err
echo "examples.sh: all well"
