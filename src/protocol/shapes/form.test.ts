/** What each form takes, and what it makes of it. */
import { describe, expect, test } from 'vitest';
import { fitted } from './document.ts';
import * as form from './form.ts';

const Point = form.object({ x: form.int(0, 9), name: form.exactOptional(form.string({ max: 3 })) });

describe('what fits', () => {
  test.each<[string, form.Shape<unknown>, unknown, unknown]>([
    ['an object, without fields that it does not name', Point, { y: 1, x: 2 }, { x: 2 }],
    [
      'a loose object, in the order of the document',
      form.looseObject({ x: form.int() }),
      { y: 1, x: 2 },
      { y: 1, x: 2 },
    ],
    ['an optional field', Point, { x: 0, name: 'abc' }, { x: 0, name: 'abc' }],
    ['a record', form.recordOf(form.string(), form.int(), 2), { a: 1, toString: 2 }, { a: 1, toString: 2 }],
    ['the second form of a union', form.union([form.int(), form.string()]), 'a', 'a'],
    ['a number with a fraction', form.number(), 0.5, 0.5],
    ['a field that does not fit and may be dropped', form.object({ x: form.droppable(form.int()) }), { x: 'a' }, {}],
    ['a missing field with a value in its place', form.object({ x: form.otherwise(form.int(), 7) }), {}, { x: 7 }],
    ['a wrong field with a value in its place', form.object({ x: form.otherwise(form.int(), 7) }), { x: [] }, { x: 7 }],
    ['a text that a parser takes', form.mapped(form.string(), (text) => BigInt(text)), '12', 12n],
  ])('%s', (_, shape, value, document) => {
    const reading = fitted(shape, value);
    expect(reading).toEqual({ document });
    expect(JSON.stringify(reading.document, bigintText)).toBe(JSON.stringify(document, bigintText));
  });
});

describe('what does not fit', () => {
  const kinds = form.variants('kind', [
    form.object({ kind: form.literal('a'), x: form.int() }),
    form.object({ kind: form.oneOf(['b', 'c']), y: form.int() }),
  ]);
  test.each<[string, form.Shape<unknown>, unknown, string]>([
    ['a missing field', Point, {}, 'x'],
    ['a field of the prototype', form.object({ toString: form.unknown() }), {}, 'toString'],
    ['a number out of its limits', Point, { x: 10 }, 'x'],
    ['a fraction for a whole number', Point, { x: 0.5 }, 'x'],
    ['a list for an object', Point, [], 'its top'],
    ['null for an object', Point, null, 'its top'],
    ['an object for a list', form.listOf(form.int(), 3), { length: 0 }, 'its top'],
    ['infinity', form.number(), Number.POSITIVE_INFINITY, 'its top'],
    ['a text that is too long', Point, { x: 0, name: 'abcd' }, 'name'],
    ['a text that a parser refuses', form.mapped(form.string(), (text) => BigInt(text)), 'x', 'its top'],
    ['a value that a test refuses', form.refined(form.int(), (value) => value > 1), 1, 'its top'],
    ['an unknown variant', kinds, { kind: 'd' }, 'kind'],
    ['a variant without its field', kinds, { kind: 'c', x: 1 }, 'y'],
    ['a part deep within', form.listOf(form.object({ p: Point }), 3), [{ p: { x: 1 } }, { p: { x: 'a' } }], '1.p.x'],
  ])('%s', (_, shape, value, place) => {
    expect(fitted(shape, value)).toEqual({ fault: `does not fit its form at ${place}` });
  });

  test('`__proto__` is no key', () => {
    const value: unknown = JSON.parse('{"__proto__":{"evil":1},"a":1}');
    for (const shape of [form.looseObject({}), form.recordOf(form.string(), form.int(), 2)]) {
      const { document } = fitted(shape, value);
      expect(document).toEqual({ a: 1 });
      expect(Reflect.get(Object(document), 'evil')).toBeUndefined();
    }
  });
});

function bigintText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
