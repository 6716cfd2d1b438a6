/** A PathView and a path query are the same after being text; anything else is refused. */
import { expect, test } from 'vitest';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import { type PathQuery, type PathView, parsePathEnds, pathEnds } from '../documents/trace.ts';
import { readDocument } from './document.ts';
import { PATH_MAX_BYTES, PathDocumentShape, pathViewOf } from './path-view-shape.ts';

const view: PathView = {
  node: 'node2',
  forth: {
    hops: [{ node: 'node2', subject: 'route', state: 'differs', held: 'none', wanted: 'one', remedy: 'add it' }],
    receivesAt: ['10.11.0.3' as Ipv4],
    receivesFrom: '10.11.0.2' as Ipv4,
  },
  back: { hops: [], sendsTo: '10.11.0.2' as Ipv4, sendsFrom: '10.11.0.3' as Ipv4, via: '10.11.0.1' as Ipv4 },
};

/** What an asker makes of the text that a node answers; undefined for a text that is refused. */
function readPathView(text: string, node: string): PathView | undefined {
  const { document } = readDocument(PathDocumentShape, text, PATH_MAX_BYTES);
  return document && pathViewOf(document, node);
}

test('a PathView is read as it was written', () => {
  expect(readPathView(JSON.stringify(view), 'node2')).toEqual(view);
});

test('an answer is about the asked node only, and long texts are cut', () => {
  const long = {
    forth: { hops: [{ subject: 'route', state: 'ok', held: 'x'.repeat(10_000), node: 'host0' }] },
    back: view.back,
  };
  const [hop] = readPathView(JSON.stringify(long), 'node2')?.forth.hops ?? [];
  expect(hop?.node).toBe('node2');
  expect(hop?.held).toHaveLength(500);
});

test.each([
  'hello',
  '[]',
  '{}',
  JSON.stringify({ ...view, forth: { hops: 7 } }),
  JSON.stringify({ ...view, forth: { hops: Array(17).fill(view.forth.hops[0]) } }),
  JSON.stringify({ ...view, forth: { hops: [{ subject: 'weather', state: 'ok', held: '' }] } }),
  JSON.stringify({ ...view, forth: { hops: [{ subject: 'route', state: 'ok', held: 7 }] } }),
  JSON.stringify({ ...view, forth: { ...view.forth, via: 'fd42::1' } }),
])('refused: %s', (text) => {
  expect(readPathView(text, 'node2')).toBeUndefined();
});

test.each<PathQuery>([
  { from: { member: parseIpv6('fd42::1') }, to: { member: parseIpv6('fd42::2') } },
  {
    from: { member: parseIpv6('fd42::1'), guest: { mac: parseMac('52:54:00:00:00:07') } },
    to: { member: parseIpv6('fd42::2'), guest: { mac: parseMac('52:54:00:00:00:08'), ipv6: parseIpv6('fd42::8') } },
  },
])('a path query is read as it was written', (query) => {
  expect(parsePathEnds(pathEnds(query))).toEqual(query);
});

test.each([
  'from=&to=fd42::1',
  'from=fd42::1&to=',
  'from=x&to=fd42::1',
  'from=fd42::1,x&to=fd42::1',
  `from=${'1'.repeat(200)}&to=::1`,
])('refused as a path query: %s', (text) => {
  const parameters = new URLSearchParams(text);
  const ends = { from: parameters.get('from') ?? '', to: parameters.get('to') ?? '' };
  expect(() => parsePathEnds(ends)).toThrow();
});
