/** The parts of a configuration, put together as for a network, and judged by dnsmasq itself. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { NetworkDns } from '../../model/network/dns.ts';
import { AUTHORITATIVE, dhcpHost, dhcpOption, dhcpRange, leasePart } from './dhcp-part.ts';
import { dnsPart } from './dns-part.ts';
import { interfacePart } from './interface-part.ts';
import { confText, setting } from './setting.ts';

/** What text from others may hold: everything that ends a value, a line or a quotation. */
const NASTY = 'a "b", #c \\d\ndhcp-script=/bin/sh\t';

const DNS: NetworkDns = {
  domain: 'blue.example',
  hosts: [{ address: parseIpv4('10.77.0.9'), names: ['web', 'www'] }],
  srv: [{ service: 'ldap', protocol: 'tcp', domain: 'blue.example', target: 'web.blue.example', port: 389 }],
  txt: [{ name: 'note.blue.example', value: NASTY }],
  forwarders: [{ address: parseIpv4('192.0.2.1') }, { address: parseIpv6('2001:db8::1'), domain: 'corp.example' }],
};

const MAC = parseMac('02:00:00:00:00:07');

const CONF = confText(interfacePart('brff01'), dnsPart(DNS), [
  dhcpRange(
    {
      kind: 'dynamic4',
      first: parseIpv4('10.77.0.10'),
      last: parseIpv4('10.77.0.99'),
      mask: parseIpv4('255.255.255.0'),
    },
    3600,
  ),
  dhcpRange({ kind: 'dynamic6', first: parseIpv6('fd00::10'), last: parseIpv6('fd00::99'), length: 64 }, 3600),
  dhcpRange({ kind: 'static6', network: parseIpv6('fd00:1::'), length: 64 }, 3600),
  dhcpHost({ mac: MAC, name: 'web', address: parseIpv4('10.77.0.9') }, 3600),
  dhcpHost({ id: '00:01:00:01', name: 'six', address: parseIpv6('fd00::9') }, 3600),
  dhcpOption({ option: 'option:router', values: ['10.77.0.1'] }),
  dhcpOption({ option: 'option6:dns-server', values: ['[fd00::1]'] }),
  dhcpOption({ option: 66, values: [NASTY], forced: true }),
  AUTHORITATIVE,
  ...leasePart({ leaseFile: '/run/meshwork/leases of "blue"' }),
]);

test('the configuration of a network is made of the parts that that of a boot segment is made of', () => {
  expect(CONF).toMatchInlineSnapshot(`
    "# Made by Meshwork; changes are overwritten.
    bind-dynamic
    interface=brff01
    except-interface=lo

    no-resolv
    no-hosts
    domain=blue.example
    local=/blue.example/
    expand-hosts
    host-record=web,www,10.77.0.9
    srv-host=_ldap._tcp.blue.example,web.blue.example,389,0,0
    txt-record=note.blue.example,"a \\"b\\", #c \\\\d\\ndhcp-script=/bin/sh\\t"
    server=192.0.2.1
    server=/corp.example/2001:db8::1

    dhcp-range=10.77.0.10,10.77.0.99,255.255.255.0,3600
    dhcp-range=fd00::10,fd00::99,64,3600
    dhcp-range=fd00:1::,static,64,3600
    dhcp-host=02:00:00:00:00:07,10.77.0.9,web,3600
    dhcp-host=id:00:01:00:01,[fd00::9],six,3600
    dhcp-option=option:router,10.77.0.1
    dhcp-option=option6:dns-server,[fd00::1]
    dhcp-option-force=66,"a \\"b\\", #c \\\\d\\ndhcp-script=/bin/sh\\t"
    dhcp-authoritative
    dhcp-leasefile="/run/meshwork/leases of \\"blue\\""
    dhcp-lease-max=10000
    "
  `);
});

test('dnsmasq takes the configuration, and no value of others has become a setting', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-dnsmasq-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'conf');
  const judge = (text: string) => {
    writeFileSync(file, text);
    return spawnSync('dnsmasq', ['--test', `--conf-file=${file}`], { encoding: 'utf8' }).stderr.trim();
  };
  expect(judge(CONF)).toBe('dnsmasq: syntax check OK.');
  expect(CONF.split('\n').filter((line) => line.startsWith('dhcp-script'))).toEqual([]);
  // The judge is no yes-man.
  expect(judge(`${CONF}no-such-setting\n`)).toContain('bad option');
});

test('a list is its values with commas between them, and a comma in a value is none', () => {
  expect(setting`server=${['a', 'b c', 'd,e', 7]}`).toBe('server=a,"b c","d,e",7');
});
