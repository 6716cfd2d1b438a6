/** The text of docs/reference/http.md: the routes of all servers, from the tables that the servers themselves read. */
import type { JsonSchema } from '../../protocol/openapi/json-schema.ts';
import {
  type OpenApiContent,
  type OpenApiDocument,
  type OpenApiOperation,
  openApi,
} from '../../protocol/openapi/openapi.ts';
import { AGENT_ROUTES } from '../../protocol/routes/agent-routes.ts';
import { CHANNEL_ROUTES, PEER_ROUTES } from '../../protocol/routes/channel-routes.ts';
import { CONTROL_ROUTES } from '../../protocol/routes/control-routes.ts';
import { MEMBERSHIP_ROUTES } from '../../protocol/routes/membership-routes.ts';
import type { RouteTable } from '../../protocol/routes/route.ts';
import { MADE, markdownTable } from './reference.ts';

/** One server, with what its section begins with. */
interface ServerSection {
  readonly title: string;
  readonly intro: string;
  readonly table: RouteTable;
}

const SERVERS: readonly ServerSection[] = [
  {
    title: 'host0’s control socket',
    intro: 'On host0, at `/run/meshwork/control.sock`, for root and the group of the socket.',
    table: CONTROL_ROUTES,
  },
  {
    title: 'The agent’s socket',
    intro: 'On each machine, at `/run/meshwork/agent.sock`, for root and the group of the socket.',
    table: AGENT_ROUTES,
  },
  {
    title: 'The membership API',
    intro: 'On host0, inside each mesh, at `http://[PREFIX::1]:8000/`, for members and those who want to become one.',
    table: MEMBERSHIP_ROUTES,
  },
  {
    title: 'A node’s channel',
    intro:
      'On the connection that a node opens to host0’s port 8004 in the management mesh: HTTP/2, with host0 as the client. ' +
      'host0’s own node answers the same on its agent’s socket.',
    table: CHANNEL_ROUTES,
  },
  {
    title: 'An agent inside a mesh',
    intro: 'On each node, inside each mesh, at port 8001 of its own address, for members of the mesh.',
    table: PEER_ROUTES,
  },
];

const INTRO =
  'Meshwork’s processes talk by HTTP. Each server reads what it is asked by the forms on this page, and each client reads the ' +
  'answer by them. `GET /v1/openapi.json` on a socket gives the same as an OpenAPI document, for example with ' +
  '`curl --unix-socket /run/meshwork/control.sock http://localhost/v1/openapi.json`.\n\n' +
  'A failed request is answered with an `Error`, whose code is in the [table of errors](errors.md), and with the HTTP status of ' +
  'that code. Each route may also answer `MESH_USAGE` (400) for a request that does not fit, `MESH_REQUEST_FOREIGN` (403) for one ' +
  'of a web page, and `MESH_INTERNAL` (500). Parameters and fields that a process does not know are ignored.';

/** The page. */
export function httpPage(): string {
  const documents = SERVERS.map(({ title, intro, table }) => openApi(table, { title, where: intro }));
  const sections = SERVERS.flatMap(({ title, intro, table }, index) => {
    const document = documents[index];
    return document === undefined ? [] : [`## ${title}\n\n${intro}`, ...operationsOf(document, table)];
  });
  const schemas = new Map(documents.flatMap(({ components }) => Object.entries(components.schemas)));
  return [`# HTTP\n\n${MADE}\n\n${INTRO}`, ...sections, schemaSection(schemas)].join('\n\n').concat('\n');
}

function operationsOf({ paths }: OpenApiDocument, table: RouteTable): string[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => {
      const key = `${method.toUpperCase()} ${path}`;
      const { errors = [] } = new Map(Object.entries(table)).get(key) ?? {};
      return operationText(key, operation, errors);
    }),
  );
}

function operationText(
  key: string,
  { summary, parameters = [], requestBody, responses }: OpenApiOperation,
  errors: readonly string[],
): string {
  const rows = parameters.map(
    ({ name, in: place, required, schema }) =>
      [`\`${name}\``, place, typeText(schema), required ? 'yes' : 'no', String(schema.description ?? '')] as const,
  );
  const [[status, { content = {} }] = ['', {}]] = Object.entries(responses);
  return [
    `### ${key}\n\n${summary}`,
    rows.length === 0 ? '' : markdownTable(['Parameter', 'In', 'Type', 'Needed', 'Rule'], rows),
    requestBody === undefined ? '' : `Takes ${contentText(requestBody.content)}.`,
    `Answers ${status}${Object.keys(content).length === 0 ? '' : ` with ${contentText(content)}`}.`,
    errors.length === 0 ? '' : `Errors: ${errors.map((code) => `\`${code}\``).join(', ')}.`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function contentText(content: OpenApiContent): string {
  return Object.entries(content)
    .map(([type, { schema }]) =>
      type === 'application/json' ? typeText(schema) : `${typeText(schema)} as \`${type}\``,
    )
    .join(', or ');
}

function schemaSection(schemas: ReadonlyMap<string, JsonSchema>): string {
  const parts = [...schemas]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => `type ${name} = ${plainType(schema, '')};`);
  return `## Types\n\nAs in TypeScript; a question mark stands behind a field that may be missing.\n\n\`\`\`typescript\n${parts.join('\n\n')}\n\`\`\``;
}

function typeText(schema: JsonSchema): string {
  return `\`${plainType(schema, '').replace(/\s+/g, ' ')}\``;
}

function plainType(schema: JsonSchema, indent: string): string {
  if (typeof schema.$ref === 'string') return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
  if ('const' in schema) return JSON.stringify(schema.const) ?? 'unknown';
  if (Array.isArray(schema.enum)) return schema.enum.map((word) => JSON.stringify(word)).join(' | ');
  if (Array.isArray(schema.anyOf)) return schema.anyOf.map((each) => plainType(each, indent)).join(' | ');
  switch (schema.type) {
    case 'array':
      return arrayType(plainType(schemaIn(schema.items), indent));
    case 'object':
      return objectType(schema, indent);
    case 'integer':
      return 'number';
    case 'string':
    case 'number':
    case 'boolean':
      return schema.type;
    default:
      return 'unknown';
  }
}

function arrayType(element: string): string {
  return /^[\w]+$/.test(element) ? `${element}[]` : `(${element})[]`;
}

function objectType({ properties, additionalProperties, required }: JsonSchema, indent: string): string {
  if (properties === undefined) return `Record<string, ${plainType(schemaIn(additionalProperties), indent)}>`;
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  const deeper = `${indent}  `;
  const fields = Object.entries(schemaIn(properties)).map(([name, schema]) => {
    const key = /^[a-z]\w*$/i.test(name) ? name : `'${name}'`;
    return `${deeper}${key}${needed.includes(name) ? '' : '?'}: ${plainType(schemaIn(schema), deeper)};\n`;
  });
  return fields.length === 0 ? '{}' : `{\n${fields.join('')}${indent}}`;
}

function schemaIn(value: unknown): JsonSchema {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
