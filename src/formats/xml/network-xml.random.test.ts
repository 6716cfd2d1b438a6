/** Random networks and damaged documents: printed networks are read as they were, and no text does harm. */
import { expect, test } from 'vitest';
import { BAD_NETWORKS, badDocument } from '../../../test/kit/bad-networks.ts';
import { seedOfRun } from '../../../test/kit/damage.ts';
import { LONG } from '../../../test/kit/long.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { randomNetwork } from '../../../test/kit/random-network.ts';
import { retainedBytes } from '../../../test/kit/retained-heap.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { type NetworkNumber, networkIdOf } from '../../model/network/number.ts';
import { orderedNetwork } from '../network/ordered-network.ts';
import { printNetworkXml } from './network-print.ts';
import { parseNetworkXml } from './network-xml.ts';
import { parsePortXml } from './port-xml.ts';
import { XmlNetworkError } from './text/xml-error.ts';

/** XML has no halves of characters; nor has UTF-8. */
function wellFormed<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, part) => (typeof part === 'string' ? part.toWellFormed() : part));
}

function networkOf(random: () => number): Network {
  const some = wellFormed(randomNetwork(random));
  return { ...some, id: networkIdOf(some.number), source: 'store' };
}

test('a printed network is read as the same network', () => {
  const random = randomFrom(seedOfRun());
  for (let round = 0; round < (LONG ? 5_000 : 200); round++) {
    const network = networkOf(random);
    const text = printNetworkXml(network);
    const { order } = parseNetworkXml(text);
    const read = { ...orderedNetwork(order, network), source: network.source };
    expect(read, text).toEqual(network);
    // The text of equal networks is equal.
    expect(printNetworkXml(read)).toBe(text);
  }
});

const PIECES = [
  ...[
    '<',
    '>',
    '</',
    '/>',
    '&',
    '&amp;',
    '&#0;',
    '&#x41;',
    "'",
    '"',
    '=',
    ']]>',
    '<![CDATA[',
    '<!--',
    '-->',
    '<?xml ?>',
  ],
  ...[
    '<!DOCTYPE a>',
    '<network>',
    '</network>',
    '\u0000',
    '\ud800',
    '\u202e',
    '99999999999999999999',
    '-1',
    '::',
    'fd00::1',
  ],
  ...[
    '<ip/>',
    "<ip address='10.0.0.1'>",
    '<dhcp>',
    '<forward/>',
    "xmlns:a='b'",
    'a:b',
    'yes',
    '10.0.0.1',
    ' ',
    '\n',
    '\r',
  ],
  ...[
    "<mesh:network xmlns:mesh='urn:meshwork:network:1' none='subnets labels' number='x'/>",
    '__proto__',
    'constructor',
  ],
];

/** A text with some pieces cut out, doubled or put in. */
function spoilt(text: string, random: () => number): string {
  let spoiling = text;
  for (let times = 1 + Math.floor(random() * 2); times > 0; times--) {
    const [a, b] = [random(), random()].map((at) => Math.floor(at * (spoiling.length + 1))).toSorted((x, y) => x - y);
    const kind = random();
    const middle = kind < 0.3 ? '' : kind < 0.5 ? spoiling.slice(a, b) + spoiling.slice(a, b) : pick(random, PIECES);
    spoiling = spoiling.slice(0, a) + middle + spoiling.slice(kind < 0.5 ? b : a);
  }
  return spoiling.slice(0, 20_000);
}

/** A test may ask for a number of documents: `MESH_FUZZ=100000`. Otherwise time decides. */
const COUNT = Number(process.env.MESH_FUZZ ?? 0);
const FUZZ_MS = 1_500;
/** What a long run may take of the heap. */
const GROWTH_MAX_BYTES = 32 * 1024 * 1024;
const PORT = `<networkport><uuid>aa00a8bb-8962-4a88-b570-4d9752860660</uuid><owner><name>g</name>
<uuid>aa00a8bb-8962-4a88-b570-4d9752860661</uuid></owner><mac address='52:54:00:00:00:01'/>
<bandwidth classID='3'><inbound average='5' floor='4'/></bandwidth><plug type='network' bridge='br0'/></networkport>`;

test('no text does anything but be read, or be refused with its place', { timeout: 1_800_000 }, () => {
  const random = randomFrom(seedOfRun());
  const bad = BAD_NETWORKS.map(([text]) => badDocument(text));
  const good = [...Array.from({ length: 60 }, () => printNetworkXml(networkOf(random))), PORT];
  let [read, refused] = [0, 0];
  const end = performance.now() + FUZZ_MS;
  const isOver = () => (COUNT > 0 ? read + refused >= COUNT : performance.now() > end);
  let before = 0;
  while (!isOver()) {
    // Memory is measured when all that is loaded once is there.
    if (COUNT > 0 && read + refused === Math.floor(COUNT / 10)) before = retainedBytes();
    const text = spoilt(pick(random, random() < 0.3 ? bad : good), random);
    const isPort = text.includes('<networkport');
    try {
      if (isPort) parsePortXml(text, { validate: random() < 0.5 });
      else again(parseNetworkXml(text, { validate: random() < 0.3 }));
      read++;
    } catch (error) {
      expect(error, text).toBeInstanceOf(XmlNetworkError);
      if (!(error instanceof MeshError)) return;
      expect(error.place?.line, text).toBeGreaterThan(0);
      refused++;
    }
  }
  console.log(`${read} documents were read, ${refused} refused`);
  if (COUNT > 0) {
    const grownBytes = retainedBytes() - before;
    console.log(`heap ${Math.round(grownBytes / 1024)} kB more at the end than after a tenth`);
    expect(grownBytes).toBeLessThan(GROWTH_MAX_BYTES);
  }
  expect(read).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
});

test('a comment beside what another program keeps under our key costs nothing of that', () => {
  const { order, name } = parseNetworkXml(`<network><name>blue</name><metadata>
<mesh:network xmlns:mesh="urn:meshwork:network:1"><!-- why --><mesh:extra key="libvirt" value="{&quot;metadata&quot;:8}"/></mesh:network>
</metadata><bridge name='virbr0'/></network>`);
  expect(order.extra).toEqual({ libvirt: { metadata: 8 } });
  again({ order, name, form: 'libvirt', warnings: [] });
});

/** A network that was read is printed and read again as the same. */
function again({ order, name }: ReturnType<typeof parseNetworkXml>): void {
  const decided = { number: 0x1000 as NetworkNumber, name };
  const network = orderedNetwork(order, decided);
  const text = printNetworkXml(network);
  expect(orderedNetwork(parseNetworkXml(text).order, decided), text).toEqual(network);
}
