/** The reader of documents: a document fits its form, or is refused whole, and nothing is thrown. */
import { expect, test } from 'vitest';
import { damagedText, seedOfRun } from '../../../test/kit/damage.ts';
import { manage, memberNumber } from '../../../test/kit/networks.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import { readAssignedMember, readAssignment } from './assignment-shape.ts';
import { readDocument } from './document.ts';
import * as form from './form.ts';
import { membershipEventReader, readReportAnswer } from './membership-shape.ts';
import { ErrorShape, FindingsShape } from './parts.ts';
import { PathDocumentShape } from './path-view-shape.ts';

const Point: form.Shape<{ name: string; at: number[] }> = form.object({
  name: form.string({ max: 8 }),
  at: form.listOf(form.int(), 3),
});

test('a document in its form is read, without the fields that this version does not know', () => {
  expect(readDocument(Point, '{"name":"a","at":[1,2],"newer":{"x":1}}')).toEqual({
    document: { name: 'a', at: [1, 2] },
  });
});

test.each([
  ['{', 'is no JSON'],
  ['', 'is no JSON'],
  ['null', 'does not fit its form at its top'],
  ['{"name":"a","at":[1,null]}', 'does not fit its form at at.1'],
  ['{"name":"a","at":[1,2,3,4]}', 'does not fit its form at at'],
  ['{"name":"a","at":[1e999]}', 'does not fit its form at at.0'],
  ['{"__proto__":{"name":"a","at":[]}}', 'does not fit its form at name'],
  [`{"name":"a","at":[${'1,'.repeat(100)}1]}`, 'is longer than 100 characters'],
])('%s is refused: it %s', (text, fault) => {
  expect(readDocument(Point, text, 100)).toEqual({ fault });
});

test('a place that a stranger named is not shown', () => {
  const shape = form.recordOf(form.string(), form.int(), 3);
  expect(readDocument(shape, '{"\\u001b[2J":"x"}')).toEqual({ fault: 'does not fit its form at ?' });
});

test('a text that is nested deeply is refused unparsed, and brackets in texts do not count', () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  expect(readDocument(Point, deep)).toEqual({ fault: 'is nested deeper than 32' });
  const shape = form.object({ text: form.string() });
  const brackets = `\\"${'[{'.repeat(20_000)}`;
  expect(readDocument(shape, JSON.stringify({ text: brackets }))).toEqual({ document: { text: brackets } });
});

test('a list that is too long is refused before its elements are looked at', () => {
  let looks = 0;
  const element = form.guard<number>(() => ++looks > 0);
  const text = JSON.stringify({ list: new Array(1_000).fill(0) });
  expect(readDocument(form.object({ list: form.listOf(element, 999) }), text)).toEqual({
    fault: 'does not fit its form at list',
  });
  expect(readDocument(form.object({ list: form.recordOf(form.string(), element, 999) }), text).fault).toBeDefined();
  expect(looks).toBe(0);
});

const version = { epoch: '0a1b', revision: 7 };
const member = memberNumber(manage, 1);
const segments = [{ device: 'eth1', ipv4: '10.11.0.1', subnet: '10.11.0.0/24' }];
const nics = [{ device: 'eth1', address: { ipv4: '10.11.0.1', length: 24 } }];
const hop = { subject: 'route', state: 'differs', held: 'none', wanted: 'one', remedy: 'add it' };
const part = { hops: [hop], receivesAt: ['10.11.0.3'], sendsTo: '10.11.0.2' };
const finding = { code: 'MESH_INTERNAL', severity: 'error', object: 'x', message: 'x', remedy: 'x' };

const READERS: readonly (readonly [string, unknown, (text: string) => unknown])[] = [
  ['a list', { type: 'snapshot', version, members: [member], segments: ['10.0.0.0/8'] }, membershipEventReader(manage)],
  ['a join', { type: 'join', version, member }, membershipEventReader(manage)],
  ['an answer', { accepted: true, version, segments: ['10.0.0.0/8'] }, readReportAnswer],
  [
    'an assignment',
    { version, networks: [manage], members: { [manage.id]: [member] }, segments, nics },
    readAssignment,
  ],
  ['a changed member', { version, network: manage.id, change: 'join', member }, readAssignedMember],
  ['a path', { node: 'node2', forth: part, back: part }, (text) => readDocument(PathDocumentShape, text)],
  ['an error', { code: 'MESH_BUSY', message: 'x', retryable: true }, (text) => readDocument(ErrorShape, text)],
  ['findings', [finding], (text) => readDocument(FindingsShape, text)],
];

test.each(READERS)('%s is read as it is', (_, document, read) => {
  expect(() => read(JSON.stringify(document))).not.toThrow();
});

test.each(READERS)('%s with random damage holds no foreign text, or is refused', (_, document, read) => {
  const random = randomFrom(seedOfRun());
  for (let round = 0; round < 400; round++) {
    const text = damagedText(document, random);
    try {
      const taken = JSON.stringify(read(text)) ?? '';
      expect(taken.length).toBeLessThan(20_000);
      // Texts for people are cut and taken; they never go into nft, and are printed with their control characters escaped.
      if (!/"(?:held|message|object|remedy|wanted)":/.test(taken)) expect(taken).not.toMatch(/evil|shadow|\[2J/);
    } catch (error) {
      expect(error).toMatchObject({ name: 'MeshError' });
    }
  }
  expect(Reflect.get({}, 'accepted')).toBeUndefined();
});
