/** Set elements by netlink, for each type of set that our tables have, compared with what the nft command makes and lists. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside } from '../../../test/kit/namespaces.ts';
import { MeshError } from '../../model/error.ts';
import { type TemporaryNetns, temporaryNetns } from '../netns.ts';
import { Nft } from '../nft.ts';
import { KernelMonitor } from '../rtnl/monitor.ts';
import { type ElementChange, elementBatch } from './element-batch.ts';
import { NftElements } from './nft-elements.ts';

/** By declaration: elements of the table, then some that come. The first of the table goes. */
const TYPES: readonly (readonly [declaration: string, have: readonly string[], added: readonly string[]])[] = [
  ['type ipv4_addr', ['10.0.0.1', '10.0.0.2'], ['192.168.255.254', '0.0.0.1']],
  ['type ipv6_addr', ['fd42::1', 'fe80::2'], ['fd42:0:0:456:7647:6b77:cff:6931', '::1']],
  ['type ether_addr', ['02:00:00:00:00:01', '02:00:00:00:00:02'], ['fe:dc:ba:98:76:54']],
  ['type ifname; size 16', ['"eth0"', '"br456"'], ['"fifteen.letters"', '"a@b+c-d"']],
  ['type ifname . ifname; size 16', ['"eth0" . "eth0"', '"a" . "b"'], ['"br456" . "br456"']],
  ['type ifname . ipv6_addr; size 16', ['"br456" . fe80::1', '"br456" . fd42::1'], ['"br500" . fd42:0:0:500::1']],
  [
    'type ifname . ether_addr',
    ['"tap0" . 02:00:00:00:00:01', '"tap0" . 02:00:00:00:00:02'],
    ['"t" . 06:00:00:00:00:03'],
  ],
  ['typeof @th,64,128', ['0xfd420000000004560000000000000001', '0x1'], ['0xfe80000000000000ada50e46b79c2243', '0x2a']],
  [
    'typeof iifname . @th,64,128; size 16',
    ['"v1" . 0xfd420000000004560000000000000001', '"v1" . 0x1'],
    ['"v2" . 0xfe80000000000000ada50e46b79c2243'],
  ],
  ['typeof iifname . @th,208,48', ['"v1" . 0x20000000001', '"v1" . 0x1'], ['"v2" . 0xfe0000000002']],
  ['type ifname . ipv4_addr', ['"v1" . 10.0.0.1', '"v1" . 10.0.0.2'], ['"v2" . 10.0.0.3']],
  ['typeof @th,96,24', ['456', '1'], ['16777215']],
  [
    'type ipv4_addr . ether_addr',
    ['10.0.0.1 . 02:00:00:00:00:01', '10.0.0.2 . 02:00:00:00:00:02'],
    ['10.0.0.3 . 02:00:00:00:00:03'],
  ],
  [
    'type ifname : verdict; size 16',
    ['"tap0" : goto plugged-1', '"tap1" : accept'],
    ['"tap2" : jump direct_1', '"tap0" : goto direct_1', '"tap3" : drop'],
  ],
];

let netns: TemporaryNetns;
let elements: NftElements;

beforeEach(() => {
  netns = temporaryNetns();
  elements = new NftElements(netns.path);
});

afterEach(async () => {
  await elements.close();
  netns.close();
});

function nft(script: string): void {
  inside(netns.path, 'sh', '-c', `nft -f - <<'END'\n${script}\nEND`);
}

/** The table as the nft command lists it in JSON, with sorted elements. */
function listed(family: 'inet' | 'bridge'): unknown {
  const text = inside(netns.path, 'nft', '-j', 'list', 'table', family, 'meshwork');
  return JSON.parse(text, (key, value) => {
    if (key === 'handle') return undefined;
    return key === 'elem' && Array.isArray(value) ? value.map((one) => JSON.stringify(one)).sort() : value;
  });
}

function makeTable(family: 'inet' | 'bridge', have: (index: number) => readonly string[]): void {
  const sets = TYPES.map(([declaration], i) => {
    const list = have(i).length === 0 ? '' : `elements = { ${have(i).join(', ')} };`;
    return `${declaration.includes(' : ') ? 'map' : 'set'} s${i} { ${declaration}; ${list} }`;
  });
  const chains = ['plugged-1', 'direct_1'].map((name) => `chain ${name} { }`);
  nft(
    `table ${family} meshwork {}\ndelete table ${family} meshwork\ntable ${family} meshwork {\n${[...chains, ...sets].join('\n')}\n}`,
  );
}

const CHANGES: readonly ElementChange[] = TYPES.map(([declaration, have, added], i) => ({
  set: `s${i}`,
  declaration,
  gone: have.slice(0, 1),
  added,
}));

test.each([
  'inet',
  'bridge',
] as const)('elements of each type in table %s are as nft itself writes them', async (family) => {
  makeTable(family, (i) => [...(TYPES[i]?.[1].slice(1) ?? []), ...(TYPES[i]?.[2] ?? [])]);
  const wanted = listed(family);
  makeTable(family, (i) => TYPES[i]?.[1] ?? []);
  expect(listed(family)).not.toEqual(wanted);
  expect(await elements.change([{ family, table: 'meshwork', changes: CHANGES, emptied: [] }])).toBe(true);
  expect(listed(family)).toEqual(wanted);
});

test('one transaction changes two tables, and empties sets', async () => {
  const change = { set: 's', declaration: 'type ipv4_addr', gone: ['10.0.0.1'], added: ['10.0.0.3'] };
  const table = (family: 'inet' | 'bridge') =>
    nft(`table ${family} meshwork {\nset s { type ipv4_addr; elements = { 10.0.0.1 }; }
      set m { typeof iifname . ip saddr; size 9; flags dynamic,timeout; timeout 5m; elements = { "a" . 10.0.0.1, "b" . 10.0.0.2 }; }\n}`);
  for (const family of ['inet', 'bridge'] as const) table(family);
  await elements.change(
    (['inet', 'bridge'] as const).map((family) => ({ family, table: 'meshwork', changes: [change], emptied: ['m'] })),
  );
  const text = inside(netns.path, 'nft', 'list', 'ruleset');
  expect(text.match(/elements = \{ 10\.0\.0\.3 \}/g)).toHaveLength(2);
  expect(text).not.toContain('"a"');
});

test('thousands of elements are more than one message holds', async () => {
  nft('table inet meshwork { set s { type ipv4_addr; }; }');
  const added = Array.from({ length: 3_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
  const change = { set: 's', declaration: 'type ipv4_addr', gone: [], added };
  await elements.change([{ family: 'inet', table: 'meshwork', changes: [change], emptied: [] }]);
  const text = inside(netns.path, 'nft', 'list', 'set', 'inet', 'meshwork', 's');
  expect(new Set(text.match(/10\.1\.\d+\.\d+/g))).toEqual(new Set(added));
});

test('a table that another program has changed refuses the whole change, and says why', async () => {
  nft('table inet meshwork { set s { type ipv4_addr; elements = { 10.0.0.1 }; }; set t { type ether_addr; }; }');
  const attempt = async (...changes: ElementChange[]) => {
    const thrown: unknown = await elements
      .change([{ family: 'inet', table: 'meshwork', changes, emptied: [] }])
      .catch((error: unknown) => error);
    return thrown instanceof MeshError ? thrown.errno : thrown;
  };
  const declaration = 'type ipv4_addr';
  const comes = { set: 's', declaration, gone: [], added: ['10.0.0.9'] };
  expect(await attempt(comes, { set: 's', declaration, gone: ['10.0.0.2'], added: [] })).toBe('ENOENT');
  expect(await attempt(comes, { set: 'gone', declaration, gone: [], added: ['10.0.0.2'] })).toBe('ENOENT');
  expect(await attempt(comes, { set: 't', declaration: 'type ipv6_addr', gone: [], added: ['fd42::1'] })).toBe(
    'EINVAL',
  );
  expect(inside(netns.path, 'nft', 'list', 'set', 'inet', 'meshwork', 's')).not.toContain('10.0.0.9');
  // The socket still has the answers of its own requests.
  expect(await attempt(comes)).toBe(true);
  nft('flush ruleset');
  expect(await attempt(comes)).toBe('ENOENT');
});

test('a set of another type is left to nft', () => {
  const types = ['type inet_service', 'type ipv4_addr : ipv4_addr', 'typeof @th,4,12', 'typeof ip saddr . tcp dport'];
  for (const declaration of types) {
    const changes = [{ set: 's', declaration, gone: [], added: [] }];
    expect(elementBatch([{ family: 'inet', table: 't', changes, emptied: [] }])).toBeUndefined();
  }
});

test.each([
  ['type ipv4_addr', '10.0.0.1, 10.0.0.2'],
  ['type ifname', '"a" . "b"'],
  ['type ifname', '"sixteen.letters."'],
  ['typeof @th,96,24', '16777216'],
  ['type ifname : verdict', '"a" : goto'],
  ['type ifname : verdict', '"a" : snat x'],
])('%s has no element %s', (declaration, text) => {
  const changes = [{ set: 's', declaration, gone: [], added: [text] }];
  expect(() => elementBatch([{ family: 'inet', table: 't', changes, emptied: [] }])).toThrow();
});

test('the monitor knows the change as our own', async () => {
  nft('table inet meshwork { set s { type ipv4_addr; }; }');
  const monitor = KernelMonitor.open({ netns: netns.path });
  try {
    const heard: boolean[] = [];
    monitor.events.subscribe((event) => {
      if (event.type === 'nft') heard.push(event.echo);
    });
    const change = { set: 's', declaration: 'type ipv4_addr', gone: [], added: ['10.0.0.1'] };
    await elements.change([{ family: 'inet', table: 'meshwork', changes: [change], emptied: [] }]);
    monitor.drain();
    expect(heard).toEqual([true]);
  } finally {
    monitor.close();
  }
});

test('closing finishes earlier changes and refuses later ones', async () => {
  const nftables = await Nft.open({ netns: netns.path });
  await nftables.run('table inet meshwork { set s { type ipv4_addr; }; }');
  await nftables.close();
  const tables = [
    {
      family: 'inet',
      table: 'meshwork',
      changes: [{ set: 's', declaration: 'type ipv4_addr', gone: [], added: ['10.0.0.1'] }],
      emptied: [],
    },
  ] as const;
  const first = elements.change(tables);
  await elements.close();
  await expect(first).resolves.toBe(true);
  await expect(elements.change(tables)).rejects.toMatchObject({ code: 'MESH_KERNEL_CLOSED' });
});
