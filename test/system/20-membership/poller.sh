#!/bin/sh
# A full member of a mesh with nothing but curl and iproute2: poller.sh MESH PREFIX VNI KEY MACHINE HOST0_IPV4 NAME,
# as in        poller.sh manage fd42:2345:1234:9abc::/64 456 456 10eff964 10.11.0.1 node1
set -eu
mesh=$1 prefix=${2%::/64} vni=$3 key=$4 machine=$5 host0=$6 name=$7 vx=vxlan$3 br=br$3 known=
genid() { printf '%s\0%s\0%s\0%s' "$1" "$key" "$2" "$mesh$vni" | sha256sum | cut -c "1-$3"; }
mac() { echo "02$(genid "$1" "$2" 10)" | sed 's/../:&/g; s/^://'; }
suffix=$(genid ipv6 "$machine" 16 | sed 's/..../:&/g; s/^://') me=$(mac bridge "$machine")
local=$(ip -o route get "$host0" | sed 's/.* src \([0-9.]*\).*/\1/')
ip link add "$br" address "$me" mtu 1380 type bridge
ip link add "$vx" address "$(mac vxlan "$machine")" mtu 1380 type vxlan id "$vni" dstport 4789 local "$local"
for device in "$br" "$vx"; do ip link set "$device" addrgenmode none; done
ip link set "$br" up && ip link set "$vx" master "$br" up
for address in "$prefix:$suffix" "fe80::$suffix"; do ip address add "$address/64" dev "$br" nodad; done
bridge fdb replace "$(mac bridge host0)" dev "$vx" self extern_learn dst "$host0"
bridge fdb append 00:00:00:00:00:00 dev "$vx" self dst "$host0"
entries() { # (replace append|del del) NAME IPV4 MAC IPV6
  bridge fdb "$1" "$5" dev "$vx" self extern_learn dst "$4"
  bridge fdb "$1" "$5" dev "$vx" master static extern_learn
  ip neighbour "$1" "$6" lladdr "$5" dev "$br" nud permanent
  bridge fdb "$2" 00:00:00:00:00:00 dev "$vx" self dst "$4"
}
forget() { # MAC
  gone=$(echo "$known" | grep " $1 ") || return 0
  known=$(echo "$known" | grep -v " $1 " || :)
  entries del del $gone || : # Some entries may be gone already.
}
while sleep 1; do
  if ! answer=$(curl -sfi -m 2 "http://[$prefix::1]:8000/?name=$name&machine=$machine"); then
    ip neighbour del "$prefix::1" dev "$br" 2>/dev/null || : # So that the kernel solicits host0 again.
    continue
  fi
  answer=$(echo "$answer" | tr -d '\r')
  for left in $(echo "$answer" | sed -n 's/^mesh-left: //p'); do forget "$left"; done
  while read -r member; do # The lines after the header, without host0's, which is the first, and this node's own.
    if echo "$known" | grep -qxF "$member"; then continue; fi
    set -- $member && forget "$3"
    ip -o route get "$2" 2>/dev/null | grep -qv ' via ' || ip route replace "$2" via "$host0"
    entries replace append $member
    known=$(printf '%s\n%s' "$known" "$member")
  done <<MEMBERS
$(echo "$answer" | sed '1,/^$/d' | sed 1d | grep -v " $me " || echo "$known")
MEMBERS
  sleep 2
done
