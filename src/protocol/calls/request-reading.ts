/** Reads the parts of a request by the forms of its route. */
import { type ErrorCode, MeshError } from '../../model/error.ts';
import { bodyText, type HttpRequest } from '../http/exchange.ts';
import { type ApiRoute, BODY_MAX_BYTES } from '../routes/route.ts';
import { readJson } from '../shapes/document.ts';
import * as form from '../shapes/form.ts';

/** The parts of a request. They have the types of the forms; the compiler checks that at the handlers. */
export interface ReadParts {
  readonly path: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** The longest query. The longest that we send has the words of a filter. */
const QUERY_MAX_LENGTH = 4_096;

/** The path of a URL, as it was sent. */
export function pathIn(url: string): string {
  return url.split('?', 1)[0] ?? url;
}

/**
 * Reads a request.
 * @param invalid the code of the errors
 * @throws MeshError for a part that does not fit
 */
export async function readRequest(
  route: ApiRoute,
  { url, body }: Pick<HttpRequest, 'url' | 'body'>,
  path: Readonly<Record<string, string | undefined>>,
  invalid: ErrorCode,
): Promise<ReadParts> {
  const parts = { path: readPath(route, path, invalid), query: readQuery(route, url, invalid) };
  if (route.body !== undefined) {
    const text = await bodyText(body, route.bodyMaxBytes ?? BODY_MAX_BYTES, invalid);
    return { ...parts, body: route.bodyIsText ? text : readBody(route.body, text, invalid) };
  }
  if (route.answer.kind !== 'conversation') body.resume();
  return { ...parts, body: undefined };
}

function readPath(
  { path: fields = {} }: ApiRoute,
  words: Readonly<Record<string, string | undefined>>,
  invalid: ErrorCode,
): Readonly<Record<string, unknown>> {
  const plain = Object.fromEntries(
    Object.entries(words).map(([name, word = '']) => [name, plainWord(name, word, invalid)]),
  );
  return fitting(form.object(fields), plain, 'the path', invalid);
}

function plainWord(name: string, word: string, invalid: ErrorCode): string {
  try {
    return decodeURIComponent(word);
  } catch (cause) {
    throw new MeshError(invalid, `the path has no readable ${name}`, { object: name, cause });
  }
}

function readQuery(
  { query: fields = {} }: ApiRoute,
  url: string,
  invalid: ErrorCode,
): Readonly<Record<string, unknown>> {
  const text = url.slice(pathIn(url).length + 1);
  if (text.length > QUERY_MAX_LENGTH) throw new MeshError(invalid, 'the query is too long');
  const parameters = new URLSearchParams(text);
  const given: Record<string, string> = {};
  for (const name of Object.keys(fields)) {
    const [value, second] = parameters.getAll(name);
    if (second !== undefined) {
      throw new MeshError(invalid, `the query has ${name} twice`, {
        object: name,
        rule: 'A parameter is given once.',
        remedy: 'Leave one of them out.',
      });
    }
    if (value !== undefined) given[name] = value;
  }
  return fitting(form.object(fields), given, 'the query', invalid);
}

function readBody(shape: form.Shape<unknown>, text: string, invalid: ErrorCode): unknown {
  if (text === '' && 'absent' in shape) return shape.absent;
  const { document, fault } = readJson(text);
  if (fault !== undefined) throw new MeshError(invalid, `the body ${fault}`, { remedy: REMEDY });
  return fitting(shape, document, 'the body', invalid);
}

const REMEDY = 'Send what the route takes: docs/reference/http.md.';

function fitting<T>(shape: form.Shape<T>, value: unknown, part: string, invalid: ErrorCode): T {
  try {
    return shape.read(value);
  } catch (error) {
    if (!(error instanceof form.Misfit)) throw error;
    const place = form.placeOf(error.path);
    const at = error.path.length === 0 ? '' : ` at ${place}`;
    throw new MeshError(invalid, `${part} does not fit its form${at}`, {
      ...(at !== '' && { object: place }),
      ...(error.words && { rule: error.words.rule }),
      remedy: error.words?.remedy ?? REMEDY,
    });
  }
}
