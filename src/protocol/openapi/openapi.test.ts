/** The document of each table: it has the rules of OpenAPI 3.1 that a reader of it needs. */
import { describe, expect, test } from 'vitest';
import { ERRORS } from '../../model/error.ts';
import { AGENT_ROUTES } from '../routes/agent-routes.ts';
import { CHANNEL_ROUTES, PEER_ROUTES } from '../routes/channel-routes.ts';
import { CONTROL_ROUTES } from '../routes/control-routes.ts';
import { MEMBERSHIP_ROUTES } from '../routes/membership-routes.ts';
import type { RouteTable } from '../routes/route.ts';
import * as form from '../shapes/form.ts';
import { SchemaPrinter } from './json-schema.ts';
import { openApi } from './openapi.ts';

const TABLES: readonly (readonly [string, RouteTable])[] = [
  ['control API', CONTROL_ROUTES],
  ['agent', AGENT_ROUTES],
  ['channel', CHANNEL_ROUTES],
  ['membership', MEMBERSHIP_ROUTES],
  ['inside a mesh', PEER_ROUTES],
];

describe.each(TABLES)('the document of the %s', (title, table) => {
  const document = openApi(table, { title, where: 'here' });
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );

  test('has an operation for each route, and no other', () => {
    const keys = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`);
    expect(keys.toSorted()).toEqual(Object.keys(table).toSorted());
  });

  test('has operation ids that are unique, and names of schemas that a reference can have', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const name of Object.keys(document.components.schemas)) expect(name).toMatch(/^[A-Za-z0-9._-]+$/);
  });

  test('declares each parameter of a path, and each once', () => {
    for (const { path, operation } of operations) {
      const { parameters = [] } = operation;
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(inPath.map(({ name }) => name)).toEqual(names);
      expect(inPath.every(({ required }) => required)).toBe(true);
      const places = parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
      expect(new Set(places).size).toBe(places.length);
    }
  });

  test('has no reference that leads nowhere, and no schema that nothing refers to', () => {
    const text = JSON.stringify(document);
    const references = new Set(
      [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name),
    );
    expect([...references].toSorted()).toEqual(Object.keys(document.components.schemas).toSorted());
    expect(text.match(/"\$ref":"(?!#\/components\/schemas\/)/)).toBeNull();
  });

  test('has patterns that every reader compiles, and answers with a description', () => {
    for (const [, pattern = '""'] of JSON.stringify(document).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)) {
      expect(() => new RegExp(JSON.parse(pattern), 'u')).not.toThrow();
    }
    for (const { operation } of operations) {
      expect(operation.summary).toMatch(/\.$/);
      for (const [status, { description }] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^[1-5]\d\d$/);
        expect(description).not.toBe('');
      }
    }
  });

  test('says of each error which status it has', () => {
    for (const { path, method, operation } of operations) {
      const { errors = [] } = new Map(Object.entries(table)).get(`${method.toUpperCase()} ${path}`) ?? {};
      for (const code of errors) expect(operation.responses[ERRORS[code].http]?.description).toContain(code);
    }
  });
});

test('a form is printed as the schema of what it reads', () => {
  const Point = form.object({
    x: form.int(0, 9),
    name: form.exactOptional(form.string({ max: 3, pattern: /^[a-z]*$/ })),
    kind: form.defaulted(form.oneOf(['a', 'b']), 'a'),
    more: form.listOf(form.union([form.boolean(), form.literal(7)]), 2),
  });
  const printer = new SchemaPrinter(new Map([[Point.outline, 'Point']]));
  expect(printer.schemaOf(form.recordOf(form.string(), form.exactOptional(Point), 5))).toEqual({
    type: 'object',
    additionalProperties: { $ref: '#/components/schemas/Point' },
    maxProperties: 5,
  });
  expect(printer.components().Point).toEqual({
    type: 'object',
    properties: {
      x: { type: 'integer', minimum: 0, maximum: 9, description: 'A whole number from 0 to 9.' },
      name: { type: 'string', maxLength: 3, pattern: '^[a-z]*$' },
      kind: { type: 'string', enum: ['a', 'b'], description: 'One of a, b.', default: 'a' },
      more: {
        type: 'array',
        maxItems: 2,
        items: {
          anyOf: [
            { type: 'boolean', description: 'true or false.' },
            { const: 7, description: '7.' },
          ],
        },
      },
    },
    required: ['x', 'more'],
  });
});
