/** Metadata: what other programs keep there stays, and ours says what libvirt's XML has no place for. */
import { expect, test } from 'vitest';
import type { Network } from '../../model/network/network.ts';
import type { NetworkNumber } from '../../model/network/number.ts';
import { orderedNetwork } from '../network/ordered-network.ts';
import { METADATA, networkMetadata, withNetworkMetadata } from './network-metadata.ts';
import { printNetworkXml } from './network-print.ts';
import { parseNetworkXml } from './network-xml.ts';

function networkOf(text: string): Network {
  const { order, name } = parseNetworkXml(text);
  return { ...orderedNetwork(order, { number: 0x1000 as NetworkNumber, name }), source: 'libvirt' };
}

const network = networkOf(`<network><name>n</name><bridge name='b'/><ip address='10.1.2.1' prefix='24'/></network>`);
const OURS = 'urn:meshwork:network:1';
const { description, title, element } = METADATA;

test('a title and a description are set, read and removed', () => {
  const titled = withNetworkMetadata(network, { type: title, text: 'A title' });
  expect(networkMetadata(titled, { type: title })).toBe('A title');
  expect(withNetworkMetadata(titled, { type: title })).toEqual(network);
  expect(() => networkMetadata(network, { type: title })).toThrow('Requested metadata element is not present');
  expect(() => withNetworkMetadata(network, { type: title, text: 'a\nb' })).toThrow(
    "metadata title can't contain newlines",
  );
  expect(() => networkMetadata(network, { type: 9 })).toThrow('unknown metadata type 9');

  const long = withNetworkMetadata(network, { type: description, text: 'first\nsecond' });
  expect(long.description).toBe('first second');
  expect(networkMetadata(long, { type: description })).toBe('first\nsecond');
  expect(printNetworkXml(long)).toContain('<description>first\nsecond</description>');
  expect(withNetworkMetadata(long, { type: description })).toEqual(network);
});

test('an element of another program is kept under its namespace, and given without it', () => {
  const set = withNetworkMetadata(network, {
    type: element,
    uri: 'urn:x',
    key: 'x',
    text: '<app port="5"><a>t</a></app>',
  });
  expect(printNetworkXml(set)).toContain(`  <metadata>
    <x:app xmlns:x="urn:x" port="5">
      <x:a>t</x:a>
    </x:app>
  </metadata>`);
  expect(networkMetadata(set, { type: element, uri: 'urn:x' })).toBe('<app port="5">\n  <a>t</a>\n</app>');
  expect(withNetworkMetadata(set, { type: element, uri: 'urn:x' })).toEqual(network);
  expect(() => withNetworkMetadata(network, { type: element, uri: 'urn:x', text: '<a/>' })).toThrow(
    'key in virNetworkSetMetadata must not be NULL',
  );
});

test('our element makes the network span nodes, and a wrong one changes nothing', () => {
  const text = "<network><span kind='everywhere'/><type kind='vxlan'/><peers kind='assigned'/></network>";
  const spanned = withNetworkMetadata(network, { type: element, uri: OURS, key: 'mesh', text });
  expect(spanned).toMatchObject({
    span: { kind: 'everywhere' },
    type: { kind: 'vxlan', vni: 0x1000, device: 'vxlan1000' },
    peers: { kind: 'assigned' },
    bridge: { name: 'b' },
    hostAddress: { kind: 'given' },
  });
  expect(networkOf(printNetworkXml(spanned))).toEqual(spanned);
  const wrong = "<network><span kind='nowhere'/></network>";
  expect(() => withNetworkMetadata(network, { type: element, uri: OURS, key: 'mesh', text: wrong })).toThrow(
    'does not fit',
  );
});

test('a comment that a person wrote into our element stays, until the element says something else', () => {
  const before = withNetworkMetadata(network, {
    type: element,
    uri: OURS,
    key: 'mesh',
    text: "<network><span kind='everywhere'/></network>",
  });
  const edited = printNetworkXml(before).replace('<mesh:span', '<!-- all three machines -->\n      <mesh:span');
  const after = networkOf(edited);
  expect(printNetworkXml(after)).toContain('<!-- all three machines -->');
  expect(networkOf(printNetworkXml(after))).toEqual(after);
  expect(after).toMatchObject({ span: { kind: 'everywhere' } });
  const moved: Network = { ...after, span: { kind: 'on-demand' } };
  expect(printNetworkXml(moved)).not.toContain('three machines');
  expect(networkOf(printNetworkXml(moved)).span).toEqual({ kind: 'on-demand' });
});

test('an edit of an address beside our element is what counts', () => {
  const order = { ...network, subnets: network.subnets.map((subnet) => ({ ...subnet, ra: false })) };
  const text = printNetworkXml(order);
  expect(text).toContain('<mesh:subnetParts cidr="10.1.2.0/24" ra="no"/>');
  const edited = text.replace(
    "prefix='24'/>",
    "prefix='24'><dhcp><range start='10.1.2.9' end='10.1.2.20'/></dhcp></ip>",
  );
  expect(networkOf(edited).subnets).toMatchObject([{ ra: false, dhcp: { ranges: [{ first: '10.1.2.9' }] } }]);
});

test.each(["x y='1'", '', 'p:q', '1a', 'a><b/><a', 'xml', 'xmlns'])('the prefix %j is refused', (key) => {
  const change = { type: element, uri: 'urn:x', key, text: '<e/>' };
  expect(() => withNetworkMetadata(network, change)).toThrow(`'${key}' is no prefix of a namespace`);
});
