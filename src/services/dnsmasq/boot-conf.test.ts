/** The configuration of a boot segment's dnsmasq as text. */
import { expect, test } from 'vitest';
import { type Ipv4, ipv4Range, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { bootConf, type SegmentService } from './boot-conf.ts';

const SEGMENT: Omit<SegmentService, 'mode'> = {
  device: 'eth1',
  host0: '10.11.0.1' as Ipv4,
  subnet: ipv4Range(parseIpv4Cidr('10.11.0.0/25')),
  tftpRoot: '/var/lib/meshwork/boot/tftp',
  leaseFile: '/var/lib/meshwork/boot/eth1.leases',
  ignoredClass: 'meshwork-probe',
};

const SERVER = { name: 'server', hostFile: '/var/lib/meshwork/boot/eth1.hosts', leaseSec: 3600 } as const;

test('the configuration of a server', () => {
  expect(bootConf({ ...SEGMENT, mode: SERVER })).toMatchInlineSnapshot(`
    "# Made by Meshwork; changes are overwritten.
    # No DNS, and no other NIC than this one.
    port=0
    no-resolv
    no-hosts
    bind-dynamic
    interface=eth1
    except-interface=lo

    # The kinds of clients: other host0s that look for servers, iPXE, and the architectures of firmware.
    dhcp-vendorclass=set:host0,meshwork-probe
    dhcp-ignore=tag:host0
    dhcp-vendorclass=set:pxe,PXEClient
    dhcp-userclass=set:ipxe,iPXE
    dhcp-match=set:ipxe,175
    dhcp-match=set:bios,option:client-arch,0
    dhcp-vendorclass=set:bios,PXEClient:Arch:00000
    dhcp-match=set:efi64,option:client-arch,7
    dhcp-vendorclass=set:efi64,PXEClient:Arch:00007
    dhcp-match=set:efi64,option:client-arch,9
    dhcp-vendorclass=set:efi64,PXEClient:Arch:00009
    dhcp-match=set:http64,option:client-arch,16
    dhcp-vendorclass=set:http64,HTTPClient:Arch:00016

    # Firmware loads iPXE; iPXE loads its script, and never itself again.
    dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe,,10.11.0.1
    dhcp-boot=tag:efi64,tag:!ipxe,ipxe.efi,,10.11.0.1
    dhcp-boot=tag:http64,tag:!ipxe,http://10.11.0.1/tftp/ipxe.efi,,10.11.0.1
    dhcp-boot=tag:ipxe,http://10.11.0.1/boot.ipxe,,10.11.0.1

    # No range: host0 chooses the address of each machine, since dnsmasq may offer one address to several machines at once.
    dhcp-range=10.11.0.0,static,255.255.255.128,3600
    dhcp-hostsfile=/var/lib/meshwork/boot/eth1.hosts
    dhcp-leasefile=/var/lib/meshwork/boot/eth1.leases
    dhcp-lease-max=10000
    # host0 is the DHCP server of this segment: a client that asks for an address of another one gets a NAK at once.
    dhcp-authoritative
    # A machine is known by its MAC: ROM, iPXE and Linux each send another client id.
    dhcp-ignore-clid
    # host0 is no router; it gives the time.
    dhcp-option=option:router
    dhcp-option=option:ntp-server,10.11.0.1
    # PXE: take the file in this packet and look for no other server. iPXE: wait for no proxy.
    dhcp-option-force=tag:pxe,tag:!ipxe,43,06:01:08:ff
    dhcp-option-force=tag:pxe,option:vendor-class,PXEClient
    dhcp-option-force=tag:http64,option:vendor-class,HTTPClient
    dhcp-option=tag:ipxe,encap:175,176,1b

    # TFTP uses one UDP port, so that firewalls and observers see whole transfers.
    enable-tftp
    tftp-root=/var/lib/meshwork/boot/tftp
    tftp-single-port
    tftp-max=4096
    quiet-tftp
    "
  `);
});

test('a path of any characters is one value, and adds no setting', () => {
  const path = '/srv/a, "b" #c\\d\ndhcp-script=/bin/sh\t';
  const conf = bootConf({ ...SEGMENT, tftpRoot: path, mode: { name: 'proxy' } });
  expect(conf.split('\n').filter((line) => /^(?:tftp-root|dhcp-script)/.test(line))).toEqual([
    'tftp-root="/srv/a, \\"b\\" #c\\\\d\\ndhcp-script=/bin/sh\\t"',
  ]);
});

/** The middle part of a text, without the lines at its beginning and end that another text has, too. */
function difference(text: string, other: string): string {
  const [lines, others] = [text, other].map((each) => each.split('\n')) as [string[], string[]];
  const first = lines.findIndex((line, at) => line !== others[at]);
  const last = lines.findLastIndex((line, at) => line !== others.at(at - lines.length));
  return lines.slice(first, last + 1).join('\n');
}

test('the configuration of a proxy differs in its range and in the options that only a server sends', () => {
  const server = bootConf({ ...SEGMENT, mode: SERVER });
  expect(difference(bootConf({ ...SEGMENT, mode: { name: 'proxy' } }), server)).toMatchInlineSnapshot(`
    "dhcp-range=10.11.0.0,proxy,255.255.255.128
    # Also for firmware that boots by HTTP.
    dhcp-pxe-vendor=PXEClient,HTTPClient
    # Matches no machine. It opens UDP port 4011, where UEFI asks again for the file named above.
    pxe-service=tag:nobody,x86PC,"Meshwork""
  `);
});
