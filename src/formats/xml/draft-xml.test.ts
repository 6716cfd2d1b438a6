/** The draft's form of networks, which libvirt never had: what it says is in the model, and comes back in libvirt's form. */
import { describe, expect, test } from 'vitest';
import type { Network } from '../../model/network/network.ts';
import type { NetworkNumber } from '../../model/network/number.ts';
import { errorText } from '../error-text.ts';
import { orderedNetwork } from '../network/ordered-network.ts';
import { printNetworkXml } from './network-print.ts';
import { parseNetworkXml } from './network-xml.ts';
import { XmlNetworkError } from './text/xml-error.ts';

const FOO = `<network id="0">
  <name>Foo</name>
  <uuid>596a5d2171f48fb2e068e2386a5c413e</uuid>
  <listen address="172.31.0.5" port="1234" />
  <connections>
    <connection address="172.31.0.6" port="4321" />
  </connections>
  <dhcp enabled="true">
    <ip address="10.0.0.1"
        netmask="255.255.255.0"
        start="10.0.0.128"
        end="10.0.0.254" />
  </dhcp>
  <forwarding enabled="true">
    <incoming default="deny">
      <allow port="123" domain="foobar" destport="321" />
    </incoming>
    <outgoing default="allow">
      <deny port="25" />
    </outgoing>
  </forwarding>
</network>
`;

function networkOf(text: string): Network {
  const { order, name } = parseNetworkXml(text);
  return { ...orderedNetwork(order, { number: 0x1000 as NetworkNumber, name }), source: 'libvirt' };
}

function routingOf(incoming: string): Network['routing'] {
  const forwarding = `<forwarding><incoming>${incoming}</incoming></forwarding>`;
  return networkOf(`<network><name>n</name><dhcp><ip address='10.0.0.1' prefix='24'/></dhcp>${forwarding}</network>`)
    .routing;
}

test('a network that is joined across machines, with DHCP and rules', () => {
  const { form, uuid } = parseNetworkXml(FOO, { validate: true });
  expect([form, uuid]).toEqual(['draft', '596a5d21-71f4-8fb2-e068-e2386a5c413e']);
  const network = networkOf(FOO);
  expect(network).toMatchObject({
    name: 'Foo',
    type: { kind: 'vxlan', vni: 1, udpPort: 1234, local: '172.31.0.5', underlay: 'ipv4', learning: false },
    peers: { kind: 'explicit', vteps: [{ address: '172.31.0.6', port: 4321 }] },
    hostAddress: { kind: 'given' },
    subnets: [
      {
        cidr: '10.0.0.0/24',
        hostAddress: '10.0.0.1',
        dhcp: { ranges: [{ first: '10.0.0.128', last: '10.0.0.254' }] },
      },
    ],
    routing: {
      mode: 'nat',
      policy: { in: 'drop', out: 'accept' },
      rules: [
        {
          direction: 'in',
          match: { ports: { first: 123, last: 123 } },
          verdict: 'accept',
          forwardTo: { guest: 'foobar', port: 321 },
        },
        { direction: 'out', match: { ports: { first: 25, last: 25 } }, verdict: 'reject' },
      ],
    },
    span: { kind: 'nodes', nodes: ['host0'] },
  });
  // In libvirt's form, it is the same network.
  expect(networkOf(printNetworkXml(network))).toEqual(network);
});

test('what is absent is as a person would expect', () => {
  const alone = networkOf(
    '<network><name>n</name><dhcp enabled="false"><ip address="10.0.0.1" netmask="255.0.0.0" start="10.0.0.2" end="10.0.0.3"/></dhcp></network>',
  );
  expect(alone).toMatchObject({
    type: { kind: 'bridge' },
    routing: { mode: 'isolated' },
    subnets: [{ cidr: '10.0.0.0/8' }],
  });
  expect(alone.subnets[0]?.dhcp).toBeUndefined();
  const joined = networkOf(
    '<network><name>n</name><connections><connection address="fd00::6"/></connections></network>',
  );
  expect(joined).toMatchObject({
    type: { kind: 'vxlan', vni: 1, udpPort: 4789, underlay: 'ipv6' },
    peers: { vteps: [{ address: 'fd00::6', port: 4789 }] },
    hostAddress: { kind: 'none' },
  });
});

test('rules: an allowed port goes to a guest that is named, under the same port unless another is named', () => {
  const [forward, open, closed] = routingOf(
    '<allow port="80" domain="web" protocol="tcp"/><allow port="22"/><deny/>',
  ).rules;
  expect(forward).toMatchObject({ match: { protocol: 'tcp' }, forwardTo: { guest: 'web', port: 80 } });
  expect(open).toEqual({ direction: 'in', match: { ports: { first: 22, last: 22 } }, verdict: 'accept' });
  expect(closed).toEqual({ direction: 'in', match: {}, verdict: 'drop' });
});

function shown(text: string): string {
  try {
    parseNetworkXml(text, { file: 'foo.xml' });
  } catch (error) {
    if (error instanceof XmlNetworkError) return errorText(error, { color: false });
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('what is refused, and what heals it', () => {
  test('the draft’s own example, in which the ends are misspelt', () => {
    expect(shown(FOO.replace('</connections>', '</conections>'))).toMatchInlineSnapshot(`
      "foo.xml:7:3: error: Opening and ending tag mismatch: connections line 5 and conections [MESH_CONF_SYNTAX]
        7 |   </conections>
          |   ^
        rule: A network is one XML element <network> with further elements in it, each of which is closed.
        write: </connections>"
    `);
    const unclosed = FOO.replace('</network>', '<network>');
    expect(shown(unclosed)).toMatchInlineSnapshot(`
      "foo.xml:22:1: error: Premature end of data in tag network line 22 [MESH_CONF_SYNTAX]
        22 | <network>
           | ^
        rule: A network is one XML element <network> with further elements in it, each of which is closed.
        write: </network>"
    `);
    expect(networkOf(unclosed.replace(/<network>\n$/, '</network>\n')).name).toBe('Foo');
  });

  test.each([
    ['<listen address="here"/>', "Invalid address 'here'"],
    ['<listen address="10.0.0.1" port="0"/>', "Invalid value for attribute 'port' in element 'listen': '0'"],
    ['<connections><connection/></connections>', "Missing required attribute 'address' in element 'connection'"],
    ['<connections><connection address="10.0.0.1"/><connection address="10.0.0.1"/></connections>', 'peers:'],
    ['<listen address="fd00::1"/><connections><connection address="10.0.0.1"/></connections>', 'peers:'],
    ['<dhcp enabled="maybe"/>', "Invalid value for attribute 'enabled' in element 'dhcp': 'maybe'."],
    ['<dhcp><ip address="10.0.0.1" prefix="24" start="10.0.0.9"/></dhcp>', "Missing 'end' attribute in dhcp range"],
    [
      '<dhcp><ip address="10.0.0.1" prefix="24" start="10.9.0.9" end="10.9.0.10"/></dhcp>',
      'is not entirely within network',
    ],
    ['<forwarding><incoming default="x"/></forwarding>', "Invalid value for attribute 'default' in element 'incoming'"],
    ['<forwarding><incoming><reject/></incoming></forwarding>', 'unexpected element <reject> in <incoming>'],
    [
      '<forwarding><incoming><allow domain="a"/></incoming></forwarding>',
      "Missing required attribute 'port' in element 'allow'",
    ],
    [
      '<forwarding><incoming><deny port="1" domain="a"/></incoming></forwarding>',
      'the attribute domain has no meaning here',
    ],
    [
      '<forwarding><outgoing><allow port="1" destport="2"/></outgoing></forwarding>',
      'the attribute destport has no meaning here',
    ],
    [
      '<forwarding><incoming><allow port="1" protocol="icmp"/></incoming></forwarding>',
      "'protocol' in element 'allow'",
    ],
  ])('%s', (part, message) => {
    expect(shown(`<network><name>n</name>${part}</network>`)).toContain(message);
  });
});
