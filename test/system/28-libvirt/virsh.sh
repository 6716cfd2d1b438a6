# Every command for networks of virsh 9.0, and python3-libvirt, at one socket: $1 is the socket, $2 a folder for files.
socket=$1
cd "$2" || exit 1
uri="network+unix:///system?socket=$socket"

v() {
  echo "\$ virsh $*"
  timeout 20 virsh -c "$uri" "$@" 2>&1
  echo "exit code $?"
}

cat >default.xml <<'XML'
<network>
  <name>inner</name>
  <uuid>aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee</uuid>
  <forward mode='nat'/>
  <bridge name='virbr7' stp='on' delay='0'/>
  <mac address='52:54:00:11:22:33'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
XML
sed 's/inner/other/; s/aaaaaaaa/aaaaaaab/; s/virbr7/virbr8/; s/192\.168\.122/192.168.123/g; s/11:22:33/11:22:34/' default.xml >other.xml
sed 's/inner/third/; /uuid/d' default.xml >clash.xml
cat >port.xml <<'XML'
<networkport>
  <uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
  <owner><name>guest</name><uuid>06578fc1-c686-46fa-bc2c-83893b466a6e</uuid></owner>
  <mac address='52:54:00:7b:35:93'/>
</networkport>
XML
port=5d744f21-ba4a-4d6e-bdb2-30a35ff3207d
host="<host mac='52:54:00:00:00:01' name='one' ip='192.168.122.10'/>"

sed 's/<forward/<nothing\/><forward/' default.xml >invalid.xml

# What the schema does not have is told in words of its own.
for word in define create; do v net-$word invalid.xml --validate | sed 's/against schema: .*/against schema/; /^Element/d; /^Did not/d; /^$/d'; done
v net-define default.xml --validate
v net-define clash.xml
v net-list --inactive --uuid
v net-info inner
v net-start inner
v net-start inner
v net-list
v net-list --table --all
v net-list --persistent --no-autostart
v net-list --autostart --name
v net-info inner
v net-name aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee
v net-uuid inner
v net-dumpxml inner
v net-dumpxml --inactive inner
v net-dumpxml inner --xpath //ip/@address
v net-dumpxml inner --xpath //range --wrap
v net-dumpxml inner --xpath //none
v net-dhcp-leases inner
v net-dhcp-leases inner --mac zz
v net-update inner add ip-dhcp-host "$host" --live --config
v net-update inner add ip-dhcp-host "$host" --live --config
v net-update inner modify ip-dhcp-host "<host mac='52:54:00:00:00:01' name='two' ip='192.168.122.11'/>" --live
v net-update inner delete ip-dhcp-host "<host mac='52:54:00:00:00:09'/>" --live
v net-update inner add ip-dhcp-range "<range start='192.168.122.2' end='192.168.122.9'/>" --parent-index 7 --live
v net-update inner add-first ip-dhcp-host "<host mac='52:54:00:00:00:03' ip='192.168.122.12'/>" --parent-index 0 --config
v net-update inner add dns-txt "<txt name='a' value='b'/>" --config
v net-update inner add bridge "<bridge name='x'/>" --config
v net-dumpxml inner
v net-dumpxml --inactive inner
v net-port-create inner port.xml --validate
v net-port-list inner
v net-port-list inner --uuid
v net-port-dumpxml inner $port
v net-port-create inner port.xml
v net-dumpxml inner
v net-port-delete inner $port
v net-port-delete inner $port
v net-autostart inner
v net-info inner
v net-autostart inner --disable
EDITOR="sed -i s/192.168.122.254/192.168.122.200/" v net-edit inner
v net-dumpxml --inactive inner
v net-update inner delete dns-txt "<txt name='a'/>" --config
v net-dumpxml --inactive inner
v net-update inner add dns-host "<host ip='192.168.122.9'><hostname>h</hostname></host>" --config
v net-update inner delete dns-host "<host ip='192.168.122.9'/>" --config
v net-update inner add dns-srv "<srv service='x' protocol='tcp'/>" --config
v net-update inner delete dns-srv "<srv service='x' protocol='tcp'/>" --config
v net-dumpxml --inactive inner
v net-undefine inner
v net-info inner
v net-undefine inner
v net-autostart inner
v net-update inner add dns-txt "<txt name='a' value='b'/>" --config
v net-destroy inner
v net-destroy inner
v net-create other.xml
v net-create other.xml
v net-list --name --transient
v net-event --list
v net-destroy other
v net-list --inactive --name
v net-event --event lifecycle --timeout 1
v net-event --event nothing
echo '$ virsh net-event --loop'
virsh -c "$uri" net-event --event lifecycle --loop --timestamp >events 2>&1 &
listener=$!
tries=0
# The listener has registered once it hears of a network.
while ! grep -q other events && [ $tries -lt 100 ]; do
  tries=$((tries + 1))
  virsh -q -c "$uri" net-create other.xml >/dev/null
  virsh -q -c "$uri" net-destroy other >/dev/null
done
for step in "define default.xml" "start inner" "define default.xml" "destroy inner" "undefine inner"; do
  virsh -q -c "$uri" net-$step >/dev/null
done
virsh -q -c "$uri" net-create default.xml >/dev/null
virsh -q -c "$uri" net-destroy inner >/dev/null
tries=0
while [ "$(grep -c inner events)" -lt 7 ] && [ $tries -lt 100 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
kill -INT $listener
wait $listener
echo "exit code $?"
grep inner events | sed 's/^[-0-9: .+]*: event/TIME: event/'
v net-start nothing
v net-define /nothing.xml

echo '$ python3'
timeout 20 /usr/bin/python3 - "$uri" <<'PYTHON'
import sys, libvirt
libvirt.registerErrorHandler(lambda *_: None, None)
c = libvirt.open(sys.argv[1])
n = c.networkDefineXML(open('default.xml').read())
print(n.name(), n.UUIDString(), n.bridgeName(), n.isActive(), n.isPersistent(), n.autostart())
n.create()
print(n.isActive(), 'inner' in c.listNetworks(), [x.name() for x in c.listAllNetworks() if x.name() == 'inner'])
print(n.XMLDesc(0) == c.networkLookupByName('inner').XMLDesc(0), n.DHCPLeases())
p = n.portCreateXML(open('port.xml').read(), 0)
print(p.UUIDString(), [x.UUIDString() for x in n.listAllPorts()])
p.delete(0)
for call in (n.create, lambda: c.networkLookupByName('nothing'), lambda: c.networkDefineXML('<network/>'), lambda: n.XMLDesc(2)):
    try:
        call()
    except libvirt.libvirtError as e:
        print(e.get_error_code(), e.get_error_domain(), e.get_error_message())
n.destroy()
n.undefine()
c.close()
PYTHON
echo "exit code $?"
