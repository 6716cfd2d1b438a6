#!/bin/sh
# The script of udhcpc: sets the address, and prints what the server has told.
ip -4 address flush dev "$interface"
case $1 in
  bound | renew)
    ip address add "$ip/$mask" dev "$interface"
    echo "$1 ip='$ip' dns='$dns' domain='$domain' serverid='$serverid' lease='$lease' router='$router' hostname='$hostname'"
    ;;
esac
