import { expect, test } from 'vitest';
import type { Mac } from '../../model/address/mac.ts';
import { bridgeNetworkd } from './networkd.ts';
import { bridgeIfcfg, bridgeProfiles } from './printed-files.ts';

const OWN = { card: 'eth0', cardAfter: 'eth0', bridge: 'br0', mac: '02:00:00:00:00:01' as Mac };
const KEPT = { ...OWN, cardAfter: 'peth0', bridge: 'eth0' };
const NETWORK = `[Match]
Name=en*

[Link]
RequiredForOnline=no

[Network]
DHCP=yes
DNS=192.0.2.1

[Route]
Gateway=192.0.2.1
Metric=7
`;

test('systemd-networkd: the settings of the card are those of the bridge, and the file of the port comes last', () => {
  const files = bridgeNetworkd(NETWORK, OWN);
  expect(files.map(({ path }) => path)).toEqual([
    '05-meshwork-br0.netdev',
    '05-meshwork-br0.network',
    '05-meshwork-eth0-port.network',
  ]);
  const [netdev, network, port] = files.map(({ text }) => text);
  expect(netdev).toBe('[NetDev]\nName=br0\nKind=bridge\nMACAddress=02:00:00:00:00:01\n\n[Bridge]\nSTP=no\n');
  expect(network).toContain('[Match]\nName=br0\n\n[Network]\nDHCP=yes\nDNS=192.0.2.1\n\n[Route]\nGateway=192.0.2.1\n');
  expect(network).not.toContain('en*');
  expect(port).toBe('[Match]\nName=eth0\n\n[Network]\nBridge=br0\nLinkLocalAddressing=no\n');
});

test('systemd-networkd: a card that gives its name away is renamed by its MAC', () => {
  const link = bridgeNetworkd(NETWORK, KEPT).find(({ path }) => path.endsWith('.link'));
  expect(link?.text).toBe('[Match]\nMACAddress=02:00:00:00:00:01\nType=ether\n\n[Link]\nName=peth0\n');
});

test('ifcfg: the pair of files has the addresses with the bridge and the hardware address with the card', () => {
  const before = 'DEVICE=eth0\nHWADDR=02:00:00:00:00:01\nONBOOT=yes\nBOOTPROTO=dhcp\nDEFROUTE=yes\n';
  expect(bridgeIfcfg(before, KEPT)).toEqual([
    {
      path: '/etc/sysconfig/network-scripts/ifcfg-peth0',
      text: 'DEVICE=peth0\nONBOOT=yes\nBRIDGE=eth0\nHWADDR=02:00:00:00:00:01\n',
    },
    {
      path: '/etc/sysconfig/network-scripts/ifcfg-eth0',
      text: 'DEVICE=eth0\nTYPE=Bridge\nONBOOT=yes\nMACADDR=02:00:00:00:00:01\nDELAY=0\nBOOTPROTO=dhcp\nDEFROUTE=yes\n',
    },
  ]);
});

test('NetworkManager: the profile of the bridge has the addresses of that of the card', () => {
  const profile =
    '[connection]\nid=x\nuuid=1\n\n[ipv4]\nmethod=manual\naddress1=192.0.2.9/24\n\n[ipv6]\nmethod=ignore\n';
  const [bridge, port] = bridgeProfiles(profile, OWN);
  expect(bridge?.text).toContain('interface-name=br0\n');
  expect(bridge?.text).toContain('[ipv4]\nmethod=manual\naddress1=192.0.2.9/24\n\n[ipv6]\nmethod=ignore\n');
  expect(port?.text).toContain('interface-name=eth0\nmaster=br0\nslave-type=bridge\n');
  expect(bridgeProfiles('', OWN)[0]?.text).toContain('[ipv4]\nmethod=auto\n');
});
