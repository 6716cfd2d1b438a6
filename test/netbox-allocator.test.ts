/** The allocator for NetBox that comes with Meshwork, against a server that answers as NetBox does, and a host0 that asks it. */
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AllocatorQuestion } from '../src/controller/ipam/outside-requests.ts';
import { ipRange, rangesOverlap } from '../src/model/address/ip-range.ts';
import { askAllocatorIn } from '../src/services/hook/allocators.ts';
import { addressBook, addressPool } from './kit/address-book.ts';

const EXAMPLE = new URL('../docs/examples/netbox-allocator', import.meta.url).pathname;
const TOKEN = 'nbt_abc.0123456789';

/** An object of NetBox, as its API gives it. */
interface NetboxObject {
  readonly id: number;
  readonly prefix?: string;
  readonly address?: string;
  readonly description: string;
  readonly status: { readonly value: string; readonly label: string };
}

/** The part of NetBox that the allocator needs. */
class SmallNetbox {
  readonly asked: string[] = [];
  objects: (NetboxObject & { readonly list: string })[] = [];
  /** The answers to changes that are carried out and not sent. */
  losesAnswers = 0;
  /** Answers a filter that it does not know with all objects, as NetBox does. */
  knowsDescriptions = true;
  /** Sends changes elsewhere, as a server in front of NetBox does that knows it by another name. */
  redirects = false;
  #next = 1;

  add(list: string, value: string, description = '', status = 'active'): NetboxObject {
    const field = list === 'prefixes' ? { prefix: value } : { address: value };
    const object = { id: this.#next++, ...field, description, status: { value: status, label: status }, list };
    this.objects.push(object);
    return object;
  }

  answer(method: string, url: URL, body: Record<string, unknown>): readonly [status: number, document?: unknown] {
    this.asked.push(`${method} ${url.pathname}`);
    const [, list = '', id, action] = /^\/api\/ipam\/([\w-]+)\/(?:(\d+)\/)?(?:([\w-]+)\/)?$/.exec(url.pathname) ?? [];
    // The addresses of a prefix that are free.
    if (method === 'GET' && action !== undefined) return [200, [{ prefix: '2001:db8:7::/64' }]];
    if (method === 'GET') {
      const known = ['prefix', 'address', ...(this.knowsDescriptions ? ['description'] : [])];
      const filters = [...url.searchParams].filter(([key]) => known.includes(key));
      const results = this.objects
        .filter((object) => object.list === list)
        .filter((object) => filters.every(([key, value]) => Reflect.get(object, key) === value));
      return [200, { count: results.length, next: null, previous: null, results }];
    }
    if (method === 'DELETE') {
      const isThere = this.objects.some((object) => object.list === list && object.id === Number(id));
      this.objects = this.objects.filter((object) => object.list !== list || object.id !== Number(id));
      return isThere ? [204] : [404, { detail: 'No Prefix matches the given query.' }];
    }
    const description = String(body.description);
    if (action === undefined) return [201, this.add(list, String(body.prefix ?? body.address), description)];
    const parent = this.objects.find((object) => object.id === Number(id))?.prefix ?? '';
    const isPrefix = action === 'available-prefixes';
    const value = this.#free(parent, isPrefix ? Number(body.prefix_length) : 32);
    if (value === undefined) return [409, { detail: 'Insufficient space is available.' }];
    return [201, this.add(isPrefix ? 'prefixes' : 'ip-addresses', value, description)];
  }

  #free(parent: string, length: number): string | undefined {
    const [base = ''] = parent.split('/');
    const candidates = Array.from({ length: 4 }, (_, at) =>
      length === 32 ? base.replace(/\d+$/, String(at)) : base.replace('::', `:${at.toString(16)}::`),
    );
    const free = candidates.find(
      (one) =>
        !this.objects.some(({ prefix, address }) => {
          const other = prefix ?? address ?? '';
          return other !== parent && rangesOverlap(ipRange(other), ipRange(`${one}/${length}`));
        }),
    );
    return free === undefined ? undefined : `${free.replace(':0::', '::')}/${length}`;
  }
}

let directory: string;
let netbox: SmallNetbox;
let close: () => void;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-allocators-'));
  netbox = new SmallNetbox();
  const server = createServer(async (request, response) => {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return response.writeHead(403).end('{"detail":"no"}');
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const url = new URL(request.url ?? '', 'http://netbox');
    if (netbox.redirects && request.method === 'POST') return response.writeHead(302, { location: url.pathname }).end();
    const [status, document] = netbox.answer(request.method ?? '', url, text === '' ? {} : JSON.parse(text));
    if (request.method !== 'GET' && netbox.losesAnswers-- > 0) return response.destroy();
    return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  close = () => {
    server.closeAllConnections();
    server.close();
  };
  copyFileSync(EXAMPLE, join(directory, 'netbox'));
  chmodSync(join(directory, 'netbox'), 0o755);
  writeFileSync(join(directory, 'netbox.conf'), `url=http://127.0.0.1:${port}\ntoken=${TOKEN}\n`, { mode: 0o600 });
});

afterEach(() => {
  close();
  rmSync(directory, { recursive: true });
});

const six = { name: 'six', kind: 'ipv6-prefix', cidr: '2001:db8:7::/48', length: 64 } as const;
const holder = { kind: 'order', id: '7' } as const;
const ask = (question: Pick<AllocatorQuestion, 'operation' | 'id'> & Partial<AllocatorQuestion>) =>
  askAllocatorIn({ directory })('netbox', { pool: addressPool(six), holder, ...question });

// Each question starts a process, so few are asked.
test('NetBox gives the next /64, the same for the same id, and takes it back, however often it is asked', async () => {
  netbox.add('prefixes', '2001:db8:7::/48', '', 'container');
  netbox.add('prefixes', '2001:db8:7::/64', 'by hand');
  expect(await ask({ operation: 'allocate', id: 'a1' })).toEqual({ value: '2001:db8:7:1::/64' });
  expect(await ask({ operation: 'allocate', id: 'a1' })).toEqual({ value: '2001:db8:7:1::/64' });
  expect(netbox.objects.map(({ prefix, description }) => `${prefix} ${description}`)).toEqual([
    '2001:db8:7::/48 ',
    '2001:db8:7::/64 by hand',
    '2001:db8:7:1::/64 meshwork a1',
  ]);
  await ask({ operation: 'release', id: 'a1' });
  await ask({ operation: 'release', id: 'a1' });
  expect(netbox.objects).toHaveLength(2);
});

test('an answer that was lost is found again, also where NetBox ignores the filter', async () => {
  netbox.add('prefixes', '2001:db8:7::/48', '', 'container');
  netbox.losesAnswers = 1;
  await expect(ask({ operation: 'allocate', id: 'a1' })).rejects.toMatchObject({
    code: 'MESH_HOOK_REFUSED',
    message: expect.stringMatching(/netbox refused: NetBox at http:\S+ does not answer/),
  });
  netbox.add('prefixes', '2001:db8:7:3::/64', 'meshwork a1');
  netbox.knowsDescriptions = false;
  expect(await ask({ operation: 'allocate', id: 'a1' })).toEqual({ value: '2001:db8:7::/64' });
  expect(netbox.objects.map(({ prefix }) => prefix)).toEqual(['2001:db8:7::/48', '2001:db8:7::/64']);
});

test('single addresses, a wanted block, and what NetBox does not have', async () => {
  const pool = addressPool({ name: 'one', kind: 'ipv4-address', cidr: '203.0.113.0/30', length: 32 });
  const refused = (id: string, value?: string) =>
    ask({ operation: 'allocate', id, pool, ...(value !== undefined && { value }) }).catch((thrown: unknown) =>
      String(thrown),
    );
  expect(await refused('a1')).toContain('NetBox has no prefix 203.0.113.0/30');
  netbox.add('prefixes', '203.0.113.0/30', '', 'container');
  for (const at of [0, 2, 3]) netbox.add('ip-addresses', `203.0.113.${at}/32`, `server ${at}`);
  expect(await ask({ operation: 'allocate', id: 'a1', pool })).toEqual({ value: '203.0.113.1' });
  expect(await refused('a2')).toContain('NetBox has nothing left in 203.0.113.0/30');
  expect(await refused('a2', '203.0.113.2')).toContain('NetBox has 203.0.113.2/32 already: server 2');
  writeFileSync(join(directory, 'netbox.conf'), 'url=http://127.0.0.1:1\ntoken=secret\n');
  const message = await refused('a3');
  expect(message).toContain('does not answer');
  expect(message).not.toContain('secret');
});

test('an answer from elsewhere is not taken, and the token does not travel in the clear unless that is allowed', async () => {
  netbox.add('prefixes', '2001:db8:7::/48', '', 'container');
  netbox.redirects = true;
  const refused = () => ask({ operation: 'allocate', id: 'a1' }).catch((thrown: unknown) => String(thrown));
  expect(await refused()).toContain('unexpected redirect');
  expect(netbox.asked).toEqual(['GET /api/ipam/prefixes/', 'GET /api/ipam/prefixes/']);
  const settings = (...lines: string[]) =>
    writeFileSync(join(directory, 'netbox.conf'), ['token=secret', ...lines].join('\n'));
  settings('url=http://netbox.invalid');
  expect(await refused()).toContain('url=http://netbox.invalid in the settings would carry the token in the clear');
  settings('url=http://netbox.invalid', 'plain-http=yes');
  expect(await refused()).toContain('NetBox at http://netbox.invalid does not answer');
});

test('host0 gives what NetBox chooses, and NetBox has it back when it has rested', async () => {
  netbox.add('prefixes', '2001:db8:7::/48', '', 'container');
  const { book, clock } = await addressBook({ ask: askAllocatorIn({ directory }) });
  await book.createPool(addressPool({ ...six, allocator: 'netbox' }));
  const given = await book.allocate({ pool: 'six', holder });
  expect(given).toMatchObject({ value: '2001:db8:7::/64', state: 'allocated' });
  await book.release(given.id);
  expect(netbox.objects).toHaveLength(2);
  await clock.pass(7_200_000);
  await book.look();
  expect([netbox.objects.length, book.list(), book.requests]).toEqual([1, [], []]);
});

test('an executable that never answers is ended, and what it was asked is taken back', async () => {
  const log = join(directory, 'log');
  writeFileSync(join(directory, 'slow'), `#!/bin/sh\necho "$1" >> ${log}\ncase $1 in *-allocate) sleep 600;; esac\n`, {
    mode: 0o755,
  });
  const { book, journal } = await addressBook({ ask: askAllocatorIn({ directory, timeLimitMs: 300 }) });
  await book.createPool(addressPool({ allocator: 'slow' }));
  await expect(book.allocate({ pool: 'six', holder })).rejects.toMatchObject({
    code: 'MESH_IPAM_ALLOCATOR_FAILED',
    message: expect.stringContaining('was ended after 0.3 s'),
    retryable: true,
  });
  await book.look();
  expect([book.list(), book.requests]).toEqual([[], []]);
  expect(journal.recent()).toMatchObject([{ kind: 'addresses not allocated', code: 'MESH_IPAM_ALLOCATOR_FAILED' }]);
});
