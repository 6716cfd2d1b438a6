/** `net-update`: which entry is meant, and what libvirt answers where none is. */
import { describe, expect, test } from 'vitest';
import type { Network } from '../../model/network/network.ts';
import type { NetworkNumber } from '../../model/network/number.ts';
import { orderedNetwork } from '../network/ordered-network.ts';
import { printNetworkXml } from './network-print.ts';
import { type NetworkUpdate, parseUpdateXml } from './network-update.ts';
import { parseNetworkXml } from './network-xml.ts';
import { XmlNetworkError } from './text/xml-error.ts';

const TEXT = `<network>
  <name>n</name>
  <forward dev='eth0' mode='nat'>
    <interface dev='eth0'/>
  </forward>
  <bridge name='virbr7' stp='on' delay='0'/>
  <dns>
    <txt name='a' value='b'/>
    <srv service='s' protocol='tcp' target='t' port='5'/>
    <srv service='s' protocol='udp' target='t' port='5'/>
    <host ip='10.1.2.1'>
      <hostname>one</hostname>
      <hostname>both</hostname>
    </host>
    <host ip='10.1.2.9'>
      <hostname>both</hostname>
    </host>
  </dns>
  <ip address='10.1.2.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='10.1.2.100' end='10.1.2.199'/>
      <host mac='52:54:00:00:00:01' name='first' ip='10.1.2.11'/>
      <host mac='52:54:00:00:00:0A' name='second' ip='10.1.2.12'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00::1' prefix='64'/>
  <portgroup name='x' default='yes'>
  </portgroup>
</network>
`;
const POOL = `<network><name>p</name><forward mode='private'><interface dev='a'/></forward></network>`;

function networkOf(text: string): Network {
  const { order, name } = parseNetworkXml(text);
  return { ...orderedNetwork(order, { number: 0x1000 as NetworkNumber, name }), source: 'libvirt' };
}

const network = networkOf(TEXT);
const [MODIFY, DELETE, ADD_LAST, ADD_FIRST] = [1, 2, 3, 4];
type Rest = Partial<Pick<NetworkUpdate, 'parentIndex' | 'portsOn'>>;

function update(command = 0, section = 0, xml = '', rest: Rest = {}, from = network): string {
  return printNetworkXml(parseUpdateXml({ command, section, xml, parentIndex: -1, ...rest })(from));
}

/** The lines that came and went. */
function lines(now: string, before = TEXT): string[] {
  const [old, fresh] = [before.split('\n'), now.split('\n')];
  return [
    ...old.filter((line) => !fresh.includes(line)).map((line) => `- ${line.trim()}`),
    ...fresh.filter((line) => !old.includes(line)).map((line) => `+ ${line.trim()}`),
  ];
}

test('the document is in libvirt’s form', () => {
  expect(printNetworkXml(network)).toBe(TEXT);
});

describe('an entry is added, changed and deleted', () => {
  test.each<[string, string[], number | undefined, number, string, Rest?]>([
    [
      'a DHCP host',
      ["+ <host mac='52:54:00:00:00:0B' name='third' ip='10.1.2.13'/>"],
      ADD_LAST,
      4,
      "<host mac='52:54:00:00:00:0B' name='third' ip='10.1.2.13'/>",
    ],
    [
      'a DHCP host, by its address',
      [
        "- <host mac='52:54:00:00:00:01' name='first' ip='10.1.2.11'/>",
        "+ <host mac='52:54:00:00:00:02' name='new' ip='10.1.2.11'/>",
      ],
      MODIFY,
      4,
      "<host mac='52:54:00:00:00:02' name='new' ip='10.1.2.11'/>",
    ],
    [
      'a DHCP host, by its MAC as it is written elsewhere',
      ["- <host mac='52:54:00:00:00:0A' name='second' ip='10.1.2.12'/>"],
      DELETE,
      4,
      "<host mac='52:54:00:00:00:0a'/>",
    ],
    [
      'a range',
      ["+ <range start='10.1.2.50' end='10.1.2.60'/>"],
      ADD_FIRST,
      5,
      "<range start='10.1.2.50' end='10.1.2.60'/>",
    ],
    [
      'a range that was there',
      ["- <range start='10.1.2.100' end='10.1.2.199'/>"],
      DELETE,
      5,
      "<range start='10.1.2.100' end='10.1.2.199'/>",
    ],
    [
      'a name',
      ["+ <host ip='10.1.2.20'>", '+ <hostname>z</hostname>'],
      ADD_LAST,
      10,
      "<host ip='10.1.2.20'><hostname>z</hostname></host>",
    ],
    [
      'a name, by one of its names',
      ["- <host ip='10.1.2.1'>", '- <hostname>one</hostname>'],
      DELETE,
      10,
      '<host><hostname>one</hostname></host>',
    ],
    ['a TXT record', ["+ <txt name='c' value='d'/>"], ADD_LAST, 11, "<txt name='c' value='d'/>"],
    ['a TXT record, by its name', ["- <txt name='a' value='b'/>"], DELETE, 11, "<txt name='a'/>"],
    ['an SRV record', ["+ <srv service='q' protocol='tcp'/>"], ADD_LAST, 12, "<srv service='q' protocol='tcp'/>"],
    [
      'an SRV record, by its protocol',
      ["- <srv service='s' protocol='udp' target='t' port='5'/>"],
      DELETE,
      12,
      "<srv protocol='udp'/>",
    ],
    [
      'a port group',
      ["+ <portgroup name='y' trustGuestRxFilters='yes'>"],
      ADD_LAST,
      9,
      "<portgroup name='y' trustGuestRxFilters='yes'/>",
    ],
    [
      'a port group that is another default',
      ["- <portgroup name='x' default='yes'>", "+ <portgroup name='x'>"],
      MODIFY,
      9,
      "<portgroup name='x'/>",
    ],
  ])('%s', (_, expected, command, section, xml, rest) => {
    expect(lines(update(command, section, xml, rest))).toEqual(expected);
  });

  test('in the subnet that the index names', () => {
    const now = update(ADD_LAST, 5, "<range start='fd00::5' end='fd00::9'/>", { parentIndex: 1 });
    expect(now).toContain(
      "<ip family='ipv6' address='fd00::1' prefix='64'>\n    <dhcp>\n      <range start='fd00::5' end='fd00::9'/>",
    );
  });

  test('a card of a pool, unless a guest uses it', () => {
    const pool = networkOf(POOL);
    expect(update(ADD_LAST, 7, "<interface dev='b'/>", {}, pool)).toContain("<interface dev='b'/>");
    expect(update(DELETE, 7, "<interface dev='a'/>", {}, pool)).not.toContain('<interface');
    expect(() => update(DELETE, 7, "<interface dev='a'/>", { portsOn: () => 2 }, pool)).toThrow(
      "unable to delete interface 'a' in network 'p'. It is currently being used by 2 domains.",
    );
  });
});

const host = "<host mac='52:54:00:00:00:01' name='z' ip='10.1.2.33'/>";

describe('libvirt’s answers', () => {
  test.each<[number | undefined, number, string, number, string, Rest?]>([
    [ADD_LAST, 1, '<bridge/>', 84, "can't update 'bridge' section of network 'n'"],
    [ADD_LAST, 8, '<pf/>', 84, "can't update 'forward pf' section of network 'n'"],
    [ADD_LAST, 99, '<pf/>', 84, "can't update unrecognized section of network"],
    [9, 4, host, 84, 'unrecognized network update command code 9'],
    [ADD_LAST, 4, '<range/>', 27, "unexpected element <range>, expecting <host>, while updating network 'n'"],
    [
      ADD_LAST,
      4,
      host,
      55,
      `there is an existing dhcp host entry in network 'n' that matches "<host mac='52:54:00:00:00:01' name='z' ip='10.1.2.33'/>"`,
    ],
    [
      MODIFY,
      4,
      "<host mac='52:54:00:00:00:99' name='z' ip='10.1.2.33'/>",
      55,
      `couldn't locate an existing dhcp host entry with "mac='52:54:00:00:00:99'" "name='z'" "ip='10.1.2.33'" in network 'n'`,
    ],
    [
      DELETE,
      4,
      "<host mac='52:54:00:00:00:01' name='second'/>",
      55,
      "couldn't locate a matching dhcp host entry in network 'n'",
    ],
    [
      ADD_LAST,
      4,
      "<host name='q' ip='10.1.2.33'/>",
      55,
      "couldn't update dhcp host entry - no <ip> element found at index 7 in network 'n'",
      { parentIndex: 7 },
    ],
    [
      ADD_LAST,
      4,
      "<host name='q' ip='fd00::7'/>",
      55,
      "the address family of a host entry IP must match the address family of the dhcp element's parent",
    ],
    [
      MODIFY,
      5,
      "<range start='10.1.2.100' end='10.1.2.199'/>",
      84,
      'dhcp ranges cannot be modified, only added or deleted',
    ],
    [
      ADD_LAST,
      5,
      "<range start='10.1.2.100' end='10.1.2.199'/>",
      55,
      `there is an existing dhcp range entry in network 'n' that matches "<range start='10.1.2.100' end='10.1.2.199'/>"`,
    ],
    [
      DELETE,
      5,
      "<range start='10.1.2.2' end='10.1.2.3'/>",
      55,
      "couldn't locate a matching dhcp range entry in network 'n'",
    ],
    [MODIFY, 12, "<srv service='s' protocol='tcp'/>", 84, 'DNS SRV records cannot be modified, only added or deleted'],
    [
      DELETE,
      12,
      "<srv service='s'/>",
      55,
      'multiple DNS SRV records matching all specified fields were found in network n',
    ],
    [
      ADD_LAST,
      12,
      "<srv service='s' protocol='tcp'/>",
      55,
      'there is already at least one DNS SRV record matching all specified fields in network n',
    ],
    [ADD_LAST, 11, "<txt name='a' value='x'/>", 55, "there is already a DNS TXT record with name 'a' in network n"],
    [DELETE, 11, "<txt name='q'/>", 55, "couldn't locate a matching DNS TXT record in network n"],
    [
      ADD_LAST,
      10,
      "<host ip='10.1.2.1'><hostname>q</hostname></host>",
      55,
      'there is already at least one DNS HOST record with a matching field in network n',
    ],
    [
      DELETE,
      10,
      '<host><hostname>both</hostname></host>',
      55,
      'multiple matching DNS HOST records were found in network n',
    ],
    [
      ADD_LAST,
      9,
      "<portgroup name='x'/>",
      55,
      `there is an existing portgroup entry in network 'n' that matches "<portgroup name='x'>"`,
    ],
    [
      ADD_LAST,
      9,
      "<portgroup name='y' default='yes'/>",
      55,
      "a different portgroup entry in network 'n' is already set as the default. Only one default is allowed.",
    ],
    [
      DELETE,
      9,
      "<portgroup name='q'/>",
      55,
      "couldn't find a portgroup entry in network 'n' matching <portgroup name='q'>",
    ],
    [
      DELETE,
      7,
      "<interface dev='q'/>",
      55,
      "couldn't find an interface entry in network 'n' matching <interface dev='q'>",
    ],
    [ADD_LAST, 4, "<host name='q' ip='10.9.9.9'/>", 67, 'subnets.0.dhcp.hosts.2.address does not fit'],
  ])('command %i, section %i, %s: %i', (command, section, xml, code, message, rest) => {
    const before = structuredClone(network);
    try {
      update(command, section, xml, rest);
    } catch (error) {
      expect(error).toBeInstanceOf(XmlNetworkError);
      if (error instanceof XmlNetworkError) expect(error.libvirt).toMatchObject({ code, message });
      expect(network).toEqual(before);
      return;
    }
    throw new Error('nothing was refused');
  });
});
