# Plain network:///system, at host0 in the place of virtnetworkd: $1 is host0's root, whose run/libvirt is put where clients look. $2 is a
# folder for files.
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/libvirt
mount --bind "$1/run/libvirt" /run/libvirt || exit 1
cd "$2" || exit 1
echo "<network><name>red</name><bridge name='virbr7' stp='off'/><ip address='192.168.122.1' netmask='255.255.255.0'/></network>" >red.xml
v() {
  echo "\$ virsh $*"
  timeout 20 virsh "$@" 2>&1
  echo "exit code $?"
}
v -r -c network:///system net-define red.xml
v -c network:///system net-define red.xml
v -c network:///system net-start red
v -r -c network:///system net-list --name
v -r -c network:///system net-destroy red
# As a virtqemud asks for a port: it looks the network up, makes the port, reads its plug, and claims it again after a restart.
timeout 20 /usr/bin/python3 - <<'PYTHON'
import re, libvirt
libvirt.registerErrorHandler(lambda *_: None, None)
c = libvirt.open('network:///system')
n = c.networkLookupByName('red')
assert "<bridge name='virbr7'" in n.XMLDesc(0)
wanted = "<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid><owner><name>guest</name><uuid>06578fc1-c686-46fa-bc2c-83893b466a6e</uuid></owner><mac address='52:54:00:7b:35:93'/></networkport>"
p = n.portCreateXML(wanted, 0)
xml = n.portLookupByUUIDString(p.UUIDString()).XMLDesc(0)
print(re.search("<plug .*>", xml).group())
print(re.search("<network .*>", n.XMLDesc(0)).group())
try:
    n.portCreateXML(xml, libvirt.VIR_NETWORK_PORT_CREATE_RECLAIM)
except libvirt.libvirtError as e:
    print(e.get_error_code())
p.delete(0)
q = n.portCreateXML(xml, libvirt.VIR_NETWORK_PORT_CREATE_RECLAIM)
print(q.XMLDesc(0) == xml)
n.destroy()
print(n.isActive(), c.networkLookupByName('red').isPersistent())
PYTHON
echo "exit code $?"
