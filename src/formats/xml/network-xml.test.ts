/** Networks in XML: what is printed is what was read, and what libvirt refuses is refused with its code and at its place. */
import { describe, expect, test } from 'vitest';
import { BAD_NETWORKS, badDocument } from '../../../test/kit/bad-networks.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkNumber } from '../../model/network/number.ts';
import { errorText } from '../error-text.ts';
import { orderedNetwork } from '../network/ordered-network.ts';
import { printNetworkXml } from './network-print.ts';
import { parseNetworkXml } from './network-xml.ts';
import { XmlNetworkError } from './text/xml-error.ts';

function networkOf(text: string, validate = false): Network {
  const { order, name } = parseNetworkXml(text, { validate });
  return { ...orderedNetwork(order, { number: 0x1000 as NetworkNumber, name }), source: 'libvirt' };
}

function errorOf(read: () => unknown): XmlNetworkError {
  try {
    read();
  } catch (error) {
    if (error instanceof XmlNetworkError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The error as people see it. */
function shown(text: string, validate = false): string {
  return errorText(
    errorOf(() => parseNetworkXml(text, { file: 'blue.xml', validate })),
    { color: false },
  );
}

/** In libvirt's own order and form. */
const CANONICAL = [
  `<network ipv6='yes' trustGuestRxFilters='yes'>
  <name>n</name>
  <uuid>aa00a8bb-8962-4a88-b570-4d9752860660</uuid>
  <title>a &apos;b&apos; &amp; &quot;c&quot; &lt;</title>
  <description>two
lines</description>
  <metadata>
    <a:x xmlns:a="urn:a">
      <!-- c -->
      <a:y z="1">text &amp; more</a:y>
      <a:e/>
    </a:x>
    <c:d xmlns:c="urn:c" q="it's &quot;x&quot; &lt;"/>
  </metadata>
  <forward dev='eth0' mode='nat'>
    <nat ipv6='no'>
      <address start='1.1.1.1' end='1.1.1.2'/>
      <port start='5' end='6'/>
    </nat>
    <interface dev='eth0'/>
  </forward>
  <bridge name='b' zone='trusted' stp='off' delay='3' macTableManager='kernel'/>
  <mtu size='1500'/>
  <mac address='52:54:00:aa:bb:cc'/>
  <domain name='d' localOnly='yes' register='yes'/>
  <dns enable='yes' forwardPlainNames='no'>
    <forwarder domain='x' addr='1.2.3.4' port='5353'/>
    <txt name='a' value='b,c'/>
    <srv service='s' protocol='tcp' domain='d' target='t' port='5' weight='7'/>
    <host ip='10.0.0.1'>
      <hostname>a</hostname>
      <hostname>b</hostname>
    </host>
  </dns>
  <bandwidth>
    <inbound average='1000'/>
    <outbound average='5' peak='6' burst='7'/>
  </bandwidth>
  <port isolated='no'/>
  <ip family='ipv4' address='10.0.0.1' netmask='255.255.255.0' localPtr='no'>
    <tftp root='/t'/>
    <dhcp>
      <range start='10.0.0.5' end='10.0.0.9'>
        <lease expiry='0'/>
      </range>
      <host mac='52:54:00:00:00:0A' name='q' ip='10.0.0.7'>
        <lease expiry='300' unit='seconds'/>
      </host>
      <bootp file='f' server='10.0.0.2'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00::1' prefix='64'>
    <dhcp>
      <range start='fd00::5' end='fd00::9'/>
      <host id='0:1:2' name='n' ip='fd00::7'/>
    </dhcp>
  </ip>
  <ip address='172.20.0.1'/>
  <route address='10.9.0.0' netmask='255.255.0.0' gateway='10.0.0.3' metric='2'/>
  <route family='ipv6' address='fd02::' prefix='64' gateway='fd00::3'/>
  <route gateway='10.0.0.4'/>
  <portgroup name='x' default='yes'>
    <bandwidth>
      <inbound average='1' peak='2' burst='3'/>
    </bandwidth>
  </portgroup>
</network>
`,
  `<network>
  <name>n</name>
  <uuid>37d6b66b-3816-4ec3-94c8-fc03c1bdf556</uuid>
  <forward dev='a' mode='passthrough'>
    <interface dev='a'/>
    <interface dev='b'/>
  </forward>
  <port isolated='yes'/>
  <virtualport type='802.1Qbh'>
    <parameters profileid='f'/>
  </virtualport>
  <portgroup name='x' default='yes' trustGuestRxFilters='no'>
    <vlan trunk='yes'>
      <tag id='3' nativeMode='tagged'/>
      <tag id='4'/>
    </vlan>
    <virtualport type='openvswitch'>
      <parameters profileid='f'/>
    </virtualport>
  </portgroup>
  <portgroup name='z'>
  </portgroup>
</network>
`,
  `<network>
  <name>n</name>
  <forward mode='hostdev' managed='yes'>
    <driver name='vfio' model='mlx5_vfio_pci'/>
    <address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x1'/>
  </forward>
  <vlan>
    <tag id='7'/>
  </vlan>
</network>
`,
  `<network>
  <name>n</name>
  <forward mode='passthrough'>
    <pf dev='p'/>
  </forward>
</network>
`,
  `<network>
  <name>n</name>
  <forward mode='bridge'/>
  <bridge name='br0'/>
  <vlan>
    <tag id='42'/>
  </vlan>
  <virtualport type='openvswitch'/>
</network>
`,
  `<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>n</name>
  <bridge name='b' stp='on' delay='0' macTableManager='libvirt'/>
  <mtu size='9000'/>
  <dns enable='no'/>
  <ip address='10.1.2.1' prefix='25' localPtr='no'>
  </ip>
  <dnsmasq:options>
    <dnsmasq:option value='log-queries'/>
  </dnsmasq:options>
</network>
`.replace("localPtr='no'>\n  </ip>", "localPtr='no'/>"),
];

describe('what is printed is what was read', () => {
  test.each(CANONICAL)('%#', (text) => {
    expect(printNetworkXml(networkOf(text, true))).toBe(text);
  });

  test('in any order, with other quotes and blanks, addresses and words as libvirt writes them', () => {
    const text = `<?xml version="1.0"?><!-- c --><network connections='5' ipv6='no'>
      <ip prefix="64" family="ipv6" address="FD00:0::1"/><unknown><thing/></unknown>
      <forward/><metadata><x/></metadata><bridge stp='junk'/><mac address='52:54:0:AA:bb:c'/>
      <ip address='10.1.2.1'><dhcp><bootp file='x'/></dhcp></ip><name>n</name>
      <dns/><domain localOnly='yes'/><uuid>596A5d2171f48fb2e068e2386a5c413e</uuid></network>`;
    expect(printNetworkXml(networkOf(text))).toBe(`<network>
  <name>n</name>
  <uuid>596a5d21-71f4-8fb2-e068-e2386a5c413e</uuid>
  <forward mode='nat'/>
  <bridge name='br1000' stp='on' delay='0'/>
  <mac address='52:54:00:aa:bb:0c'/>
  <ip family='ipv6' address='fd00::1' prefix='64'/>
  <ip address='10.1.2.1'/>
</network>
`);
    const { warnings } = parseNetworkXml(text, { file: 'n.xml' });
    expect(warnings.map(({ message, place }) => `${place?.line}: ${message}`)).toEqual([
      '5: a domain without a name has no effect',
      "3: stp='junk' means on",
      '4: bootp without a range or a host has no effect',
    ]);
  });

  test('what runs shows ports, and the ports of TCP and UDP that NAT takes', () => {
    const nat = networkOf(`<network><name>n</name><forward/><ip address='10.1.2.1' prefix='24'/></network>`);
    expect(printNetworkXml(nat)).toContain("<forward mode='nat'/>");
    const live = printNetworkXml(nat, { inactive: false, connections: 2 });
    expect(live).toContain("<network connections='2'>");
    expect(live).toContain("<nat>\n      <port start='1024' end='65535'/>\n    </nat>");
    const pool = networkOf(`<network><name>n</name><forward mode='private'><interface dev='a'/></forward></network>`);
    const shownPool = printNetworkXml(pool, { inactive: false, cardConnections: { a: 3 } });
    expect(shownPool).toContain("<interface dev='a' connections='3'/>");
  });
});

describe('what libvirt refuses', () => {
  test.each(BAD_NETWORKS)('%s', (text, code, message, at) => {
    const document = badDocument(text);
    const error = errorOf(() => parseNetworkXml(document, { file: 'blue.xml' }));
    expect(error.libvirt).toMatchObject({ code, message });
    expect(document.slice(error.offset, (error.offset ?? 0) + at.length)).toBe(at);
    expect(error.place?.file).toBe('blue.xml');
    expect(error.rule).toMatch(/\S/);
  });

  test('is shown at its place, with the rule and what to write', () => {
    expect(
      shown(`<network>\n  <name>blue</name>\n  <ip address='10.1.2.1' prefix='33'/>\n</network>\n`),
    ).toMatchInlineSnapshot(`
      "blue.xml:3:26: error: Invalid IPv4 prefix '33' in network 'blue' [MESH_NET_INVALID]
        3 |   <ip address='10.1.2.1' prefix='33'/>
          |                          ^
        rule: A prefix has at most 32 bits."
    `);
    expect(shown('<network>\n  <name>blue</name>\n</networks>\n')).toMatchInlineSnapshot(`
      "blue.xml:3:1: error: Opening and ending tag mismatch: network line 1 and networks [MESH_CONF_SYNTAX]
        3 | </networks>
          | ^
        rule: A network is one XML element <network> with further elements in it, each of which is closed.
        write: </network>"
    `);
    expect(shown(`<network>\n  <name>two words</name>\n</network>\n`)).toMatchInlineSnapshot(`
      "blue.xml:2:3: error: name: "two words" does not fit [MESH_NET_INVALID]
        2 |   <name>two words</name>
          |   ^
        rule: A name is one word: 1 to 63 letters, digits, dots, underscores and hyphens, with a letter or digit first."
    `);
  });

  test('a text that is no XML is answered as libvirt does', () => {
    const { libvirt } = errorOf(() => parseNetworkXml('<network><name>n</nam></network>'));
    expect(libvirt).toEqual({
      code: 35,
      domain: 19,
      message: `(network_definition):1: Opening and ending tag mismatch: name line 1 and nam
<network><name>n</nam></network>
----------------^`,
    });
  });

  test('limits of length, depth and count hold', () => {
    const deep = `<network>${'<a>'.repeat(100)}${'</a>'.repeat(100)}</network>`;
    expect(errorOf(() => parseNetworkXml(deep)).message).toBe('Excessive depth in document: 64');
    const many = `<network>${'<a/>'.repeat(200_001)}</network>`;
    expect(errorOf(() => parseNetworkXml(many)).message).toBe('Document has more than 200000 parts');
    const long = `<network>${' '.repeat(4 * 1024 * 1024)}</network>`;
    expect(errorOf(() => parseNetworkXml(long)).message).toBe('Document is longer than 4194304 characters');
    // A bomb is refused where it begins.
    const bomb = `<!DOCTYPE x [<!ENTITY a "${'b'.repeat(99)}">]><network><name>&a;</name></network>`;
    expect(errorOf(() => parseNetworkXml(bomb)).message).toBe('a document type is not read: entities are not trusted');
  });
});

describe('--validate', () => {
  test.each([
    ['<bogus/>', 'Did not expect element bogus there', '<bogus'],
    ["<bridge color='red'/>", 'Invalid attribute color for element bridge', 'color'],
    ["<bridge stp='junk'/>", 'Element bridge failed to validate attributes', 'stp'],
    ["<dns><srv service='x' protocol='sctp'/></dns>", 'Element srv failed to validate attributes', 'protocol'],
    ['<uuid>zz</uuid>', 'Error validating value "zz"', '<uuid'],
    ['<bridge>text</bridge>', 'Did not expect text in element bridge content', 'text'],
    ['<name>m</name>', 'Extra element name in interleave', '<name>m'],
    ["<domain localOnly='yes'/>", 'Element domain failed to validate attributes', '<domain'],
    ["<x:y xmlns:x='urn:x'/>", 'Did not expect element x:y there', '<x:y'],
    ['<mac/>', 'Element mac failed to validate attributes', '<mac'],
    [
      "<ip address='10.0.0.1' netmask='255.0.0.0' prefix='8'/>",
      'Did not expect prefix beside netmask in element ip',
      'prefix',
    ],
    ["<mtu size='99999'/>", 'Element mtu failed to validate attributes', 'size'],
    ["<bandwidth><inbound average='0'/></bandwidth>", 'Element inbound failed to validate attributes', 'average'],
    [
      "<ip address='10.0.0.1'><dhcp><host ip='10.0.0.2'/></dhcp></ip>",
      'Element host failed to validate attributes',
      '<host',
    ],
    [
      "<virtualport type='802.1Qbh'><parameters managerid='1'/></virtualport>",
      'Invalid attribute managerid for element parameters',
      'managerid',
    ],
    ["<dns><host ip='10.0.0.1'/></dns>", 'Expecting an element hostname, got nothing', '<host'],
  ])('%s is refused with code 92', (part, message, at) => {
    const text = `<network><name>n</name>${part}</network>`;
    const error = errorOf(() => parseNetworkXml(text, { validate: true }));
    expect(error.libvirt).toEqual({
      code: 92,
      domain: 5,
      message: `Unable to validate doc against network.rng\n${message}`,
    });
    expect(text.slice(error.offset).startsWith(at)).toBe(true);
  });

  test('our own metadata and raw options pass', () => {
    const text = `<network><name>n</name><metadata><m:network xmlns:m='urn:meshwork:network:1'><m:labels key='a' value='b'/></m:network></metadata></network>`;
    expect(networkOf(text, true).labels).toEqual({ a: 'b' });
  });
});
