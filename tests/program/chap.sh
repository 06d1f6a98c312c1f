#!/usr/bin/env bash
# 'iscsilab serve --chap' and initiators of others: libiscsi proves itself and has the array prove
# itself, QEMU copies an image in and out bit for bit, with CHAP and with header digests.
. "$(dirname "$0")/lib.sh"
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
port=
keep_secret() { # FILE SECRET
    printf '%s\n' "$2" >"$work/$1"
    chmod 600 "$work/$1"
}
start() { # OPTION...
    start_serve "$work/serve" 1 --disk data=64MiB "$@"
    port=$first_port
    target=$(grep -o 'iqn[^ ]*' "$work/serve" | head -1)
}
stop() {
    kill -TERM "$server"
    wait "$server" || fail "serve did not end well"
    server=
}
url() { echo "iscsi://${1:+$1@}127.0.0.1:$port/$target/0"; }
inquiry() { iscsi-inq "$1" >"$work/inquiry" 2>&1; }

keep_secret user initiator-secret1
keep_secret own target-secret-22
start --chap "hv1:$work/user" --chap-own "array:$work/own"
inquiry "$(url hv1%initiator-secret1)" || fail "the right secret: $(cat "$work/inquiry")"
inquiry "$(url hv1%initiator-secret1)?target_user=array&target_password=target-secret-22" ||
    fail "both secrets: $(cat "$work/inquiry")"
if inquiry "$(url hv1%initiator-secret1)?target_user=array&target_password=target-secret-23"; then
    fail "libiscsi took a wrong proof of the array"
fi
for who in '' hv1%initiator-secret2 hv2%initiator-secret1; do
    if inquiry "$(url "$who")"; then fail "'$who' came in"; fi
    says "$work/inquiry" 'Authentication failure'
done
says "$work/serve" 'login refused, it goes on without authentication'
says "$work/serve" 'login refused, the name or the answer to the challenge is wrong'
if grep -qE 'initiator-secret|target-secret' "$work/serve"; then fail "a secret stands in the log"; fi

# An initiator that goes without a word is named as well.
iscsi-ls -s "iscsi://127.0.0.1:$port" >"$work/ls" 2>&1 || true
sleep 0.2
says "$work/serve" 'end of 127.0.0.1:'
if grep -q '0\.0\.0\.0' "$work/serve"; then fail "a peer without an address: $(cat "$work/serve")"; fi

# Secrets change while it runs; a file that is no good changes nothing.
printf 'another-secret-3\n' >"$work/user"
kill -HUP "$server"
for _ in $(seq 50); do grep -q 'read again' "$work/serve" && break || sleep 0.05; done
says "$work/serve" 'the secrets were read again'
inquiry "$(url hv1%another-secret-3)" || fail "the new secret: $(cat "$work/inquiry")"
if inquiry "$(url hv1%initiator-secret1)"; then fail "the old secret still opens"; fi
printf 'short\n' >"$work/user"
kill -HUP "$server"
for _ in $(seq 50); do grep -q 'stay as they were' "$work/serve" && break || sleep 0.05; done
says "$work/serve" 'the secrets stay as they were: CHAP of '
inquiry "$(url hv1%another-secret-3)" || fail "after a bad file: $(cat "$work/inquiry")"
printf 'initiator-secret1\n' >"$work/user"
kill -HUP "$server"
for _ in $(seq 50); do inquiry "$(url hv1%initiator-secret1)" && break || sleep 0.05; done

if command -v qemu-img >/dev/null && qemu-img --help | grep -q iscsi; then
    "${PYTHON:-python3}" -c "
import random
random.seed(1)
open('$work/image', 'wb').write(random.randbytes(48 << 20) + bytes(16 << 20))"
    both_ways() { # NAME, OPTIONS of QEMU's
        qemu-img convert -n "${secret[@]}" -f raw --target-image-opts "$work/image" "$2" ||
            fail "qemu-img in, $1"
        qemu-img convert "${secret[@]}" --image-opts "$2" -O raw "$work/back" ||
            fail "qemu-img out, $1"
        cmp "$work/image" "$work/back" || fail "the image came back as another one, $1"
        rm "$work/back"
        checks=$((checks + 1))
    }
    secret=(--object "secret,id=s0,file=$work/password")
    printf initiator-secret1 >"$work/password"
    options="driver=raw,file.driver=iscsi,file.transport=tcp,file.portal=127.0.0.1:$port"
    options+=",file.target=$target,file.lun=0,file.user=hv1,file.password-secret=s0"
    both_ways 'no digest' "$options,file.header-digest=none"
    both_ways 'header digest' "$options,file.header-digest=crc32c"
    qemu-io -f raw -c 'write -P 0x5a 1M 64k' -c 'flush' -c 'read -P 0x5a 1M 64k' \
        "$(url hv1%initiator-secret1)" >"$work/io" 2>&1 || fail "qemu-io: $(cat "$work/io")"
    says "$work/io" 'read 65536/65536'
    if grep -q 'Pattern verification failed' "$work/io"; then fail 'other bytes came back'; fi
else
    echo "SKIPPED: qemu-img knows no iscsi:// here (packages qemu-utils, qemu-block-extra)"
fi
stop

# The array of a topology asks as it does in the simulation; what an option names stands in for that.
start_topology() { # OPTION...
    start_serve "$work/serve" 1 --topology "${topology:-topologies/chap-two-switch.yaml}" "$@"
    port=$first_port
    target=$(grep -o 'iqn[^ ]*' "$work/serve" | head -1)
}
of_file=kvm1%kvm1-to-san1-is-longer-than-16
start_topology
inquiry "$(url $of_file)?target_user=san1&target_password=san1-itself-01" ||
    fail "the topology's secrets: $(cat "$work/inquiry")"
if inquiry "$(url)"; then fail "who proves nothing came in"; fi
stop
start_topology --chap "hv1:$work/user"
inquiry "$(url hv1%initiator-secret1)?target_user=san1&target_password=san1-itself-01" ||
    fail "the option's user, the topology's proof: $(cat "$work/inquiry")"
if inquiry "$(url $of_file)"; then fail "the topology's user came in past --chap"; fi
stop

# Its secrets change with the file; those of a file with errors do not count.
topology=$work/array.yaml
ln -s "$SOURCE_DIR/topologies/profiles" "$work/profiles"
write_topology() { # SECRET
    sed "s/kvm1-to-san1-is-longer-than-16/$1/" topologies/chap-two-switch.yaml >"$topology"
}
reloads() { # WORDS that it says, the COUNTth time
    kill -HUP "$server"
    for _ in $(seq 100); do
        if [ "$(grep -c "$1" "$work/serve")" -ge "$2" ]; then break; fi
        sleep 0.05
    done
    [ "$(grep -c "$1" "$work/serve")" -eq "$2" ] || fail "it does not say '$1': $(cat "$work/serve")"
}
write_topology kvm1-to-san1-is-longer-than-16
start_topology
for round in 1 2 3; do
    inquiry "$(url $of_file)" || fail "the secret of the file, $round: $(cat "$work/inquiry")"
    write_topology "another-secret-of-kvm1-$round"
    reloads 'the secrets were read again' "$round"
    if inquiry "$(url $of_file)"; then fail "the old secret still opens, $round"; fi
    of_file=kvm1%another-secret-of-kvm1-$round
done
write_topology short
reloads 'the array stays as it was' 1
inquiry "$(url $of_file)" || fail "after a bad file: $(cat "$work/inquiry")"
stop
topology=

# What cannot be started with.
refused() { # WORDS OPTION...
    local words=$1
    shift
    if "$ISCSILAB" serve --disk data=16MiB --listen "127.0.0.1:$port" "$@" >"$work/refused" 2>&1; then
        fail "serve $* began"
    fi
    says "$work/refused" "$words"
}
keep_secret short tooshort
keep_secret open initiator-secret1
chmod 644 "$work/open"
refused 'shorter than 12 bytes' --chap "hv1:$work/short"
refused 'others may read the secret' --chap "hv1:$work/open"
refused 'is no USER:SECRETFILE' --chap hv1
refused 'cannot read the secret' --chap "hv1:$work/none"
refused 'is no file' --chap "hv1:/"
refused 'have the same secret' --chap "hv1:$work/user" --chap-own "array:$work/user"
refused 'nobody has to' --chap-own "array:$work/own"
done_with chap
