/** Prints a table of routes as an OpenAPI document (OpenAPI Specification 3.1.1). It is loaded only when somebody asks for it. */
import { ERRORS, type ErrorCode } from '../../model/error.ts';
import { VERSION } from '../../model/version.ts';
import { type Answer, type ApiRoute, COMMON_ERRORS, type RouteTable } from '../routes/route.ts';
import type { Fields } from '../shapes/form.ts';
import { ErrorShape } from '../shapes/parts.ts';
import { type JsonSchema, SchemaPrinter } from './json-schema.ts';
import { schemaNames } from './schema-names.ts';

/** A parameter of a path or a query. */
export interface OpenApiParameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required: boolean;
  readonly schema: JsonSchema;
}

/** The media types of a body, with their schemas. */
export type OpenApiContent = { readonly [mediaType: string]: { readonly schema: JsonSchema } };

/** One route. */
export interface OpenApiOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly OpenApiParameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: OpenApiContent };
  readonly responses: {
    readonly [status: string]: { readonly description: string; readonly content?: OpenApiContent };
  };
}

/** The document, as far as we write it. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string; readonly description: string }[];
  readonly paths: { readonly [path: string]: { readonly [method: string]: OpenApiOperation } };
  readonly components: { readonly schemas: { readonly [name: string]: JsonSchema } };
}

/** What the document says of the server. */
export interface OpenApiServer {
  readonly title: string;
  /** Where it listens, in words. */
  readonly where: string;
}

/** Longer bodies are refused with this status. */
const TOO_LONG = 413;

/** Makes the document of a table. */
export function openApi(table: RouteTable, { title, where }: OpenApiServer): OpenApiDocument {
  const printer = new SchemaPrinter(schemaNames());
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  for (const [key, route] of Object.entries(table)) {
    const [method = '', path = ''] = key.split(' ');
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation(method, path, route, printer) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title,
      version: VERSION,
      description: 'A failed request is answered with an Error, and the HTTP status of its code.',
    },
    servers: [{ url: 'http://localhost', description: where }],
    paths,
    components: { schemas: printer.components() },
  };
}

function operation(method: string, path: string, route: ApiRoute, printer: SchemaPrinter): OpenApiOperation {
  const parameters = [...parametersIn('path', route.path, printer), ...parametersIn('query', route.query, printer)];
  return {
    operationId: operationId(method, path),
    summary: route.summary,
    tags: [path.split('/').find((word) => word !== '' && word !== 'v1') ?? 'members'],
    ...(parameters.length > 0 && { parameters }),
    ...bodyOf(route, printer),
    responses: responsesOf(route, printer),
  };
}

function bodyOf({ body, answer }: ApiRoute, printer: SchemaPrinter): Pick<OpenApiOperation, 'requestBody'> {
  if (body !== undefined) {
    const content = { 'application/json': { schema: printer.schemaOf(body) } };
    return { requestBody: { required: !('absent' in body), content } };
  }
  if (answer.kind !== 'conversation') return {};
  return {
    requestBody: { required: true, content: { 'application/x-ndjson': { schema: printer.schemaOf(answer.asked) } } },
  };
}

/** `GET /v1/nodes/{address}/path` is `getV1NodesAddressPath`. */
function operationId(method: string, path: string): string {
  const words = path.match(/[A-Za-z0-9]+/g) ?? [];
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function parametersIn(place: 'path' | 'query', fields: Fields = {}, printer: SchemaPrinter): OpenApiParameter[] {
  return Object.entries(fields).map(([name, shape]) => ({
    name,
    in: place,
    required: place === 'path' || !('optional' in shape || 'absent' in shape),
    schema: printer.schemaOf(shape),
  }));
}

function responsesOf(route: ApiRoute, printer: SchemaPrinter): OpenApiOperation['responses'] {
  const answer: Answer = route.answer;
  const content = contentOf(answer, printer);
  const good = { description: 'Done.', ...(content !== undefined && { content }) };
  const responses: Record<string, OpenApiOperation['responses'][string]> = {
    [answer.kind === 'nothing' ? 204 : 200]: good,
  };
  for (const [status, codes] of statusesOf(route)) {
    const schema = printer.schemaOf(ErrorShape);
    responses[status] = { description: codes.join(', '), content: { 'application/json': { schema } } };
  }
  for (const status of ('statuses' in answer ? answer.statuses : undefined) ?? []) {
    responses[status] = withAlso(responses[status], good, status === 304);
  }
  return responses;
}

/** A status that both an error and the usual document can have. */
function withAlso(
  error: OpenApiOperation['responses'][string] | undefined,
  good: OpenApiOperation['responses'][string],
  isEmpty: boolean,
): OpenApiOperation['responses'][string] {
  if (isEmpty) return { description: 'Nothing has changed since.' };
  if (error === undefined) return { ...good, description: 'The document says why.' };
  const schemas = [good, error].flatMap(({ content = {} }) => Object.values(content).map(({ schema }) => schema));
  return { description: error.description, content: { 'application/json': { schema: { anyOf: schemas } } } };
}

function statusesOf({ errors = [], body }: ApiRoute): ReadonlyMap<number, readonly ErrorCode[]> {
  const statuses = new Map<number, ErrorCode[]>();
  for (const code of new Set([...COMMON_ERRORS, ...errors])) {
    const { http } = ERRORS[code];
    statuses.set(http, [...(statuses.get(http) ?? []), code]);
  }
  if (body !== undefined) statuses.set(TOO_LONG, ['MESH_USAGE']);
  return new Map([...statuses].toSorted(([a], [b]) => a - b));
}

function contentOf(answer: Answer, printer: SchemaPrinter): OpenApiContent | undefined {
  switch (answer.kind) {
    case 'nothing':
      return undefined;
    case 'document':
      return { 'application/json': { schema: printer.schemaOf(answer.form) } };
    case 'text':
      return Object.fromEntries(answer.mediaTypes.map((type) => [type, { schema: { type: 'string' } }]));
    case 'events': {
      // The data of an event is JSON in the text of the stream.
      const forms = [...new Set(Object.values(answer.forms))];
      const [first] = forms;
      const schema =
        forms.length === 1 && first ? printer.schemaOf(first) : { anyOf: forms.map((of) => printer.schemaOf(of)) };
      return { 'text/event-stream': { schema } };
    }
    case 'lines':
    case 'conversation':
      return { 'application/x-ndjson': { schema: printer.schemaOf(answer.form) } };
    case 'bytes':
      return { [answer.mediaType]: { schema: { type: 'string', format: 'binary' } } };
  }
}
