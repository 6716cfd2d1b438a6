/**
 * Forms of documents, put together from parts: what a text must hold, and of which type the document then is. This is the part
 * of `zod/mini` that Meshwork uses. In a checkout the library loads its messages in fifty languages from as many files:
 * `mesh network list` took 304 ms with it, and takes 222 ms without, on a machine where `node -e 0` takes 81.
 */

/** What a value must be, and what to write, as sentences. */
export interface Words {
  readonly rule: string;
  readonly remedy?: string;
}

/** What a form asks for, as data: from this, JSON Schema is printed (protocol/openapi/). */
export type Outline =
  | { readonly kind: 'any' | 'number' | 'boolean' }
  | { readonly kind: 'text'; readonly max?: number; readonly pattern?: RegExp }
  | { readonly kind: 'whole'; readonly min: number; readonly max: number }
  | { readonly kind: 'literal'; readonly only: string | number | boolean }
  | { readonly kind: 'word'; readonly words: readonly string[] }
  | { readonly kind: 'either'; readonly shapes: readonly Shape<unknown>[] }
  | { readonly kind: 'object'; readonly fields: Fields; readonly loose: boolean }
  | { readonly kind: 'list'; readonly of: Shape<unknown>; readonly max: number }
  | { readonly kind: 'record'; readonly of: Shape<unknown>; readonly max: number };

/** The outline of a form of which only a function knows more. */
export const ANY: Outline = { kind: 'any' };
/** The outline of a text of which a function knows more. */
export const TEXT: Outline = { kind: 'text' };

/** The form of a value. */
export interface Shape<T> {
  /**
   * Gives a copy of what fits, without what the form does not name.
   * @param strict what the form does not name does not fit, either: for documents that people write
   * @throws Misfit
   */
  readonly read: (value: unknown, strict?: boolean) => T;
  readonly words?: Words;
  /** Of the value that is read, not of the result. */
  readonly outline: Outline;
}

/** The form of a field that may be missing. */
export interface OptionalShape<T> extends Shape<T> {
  readonly optional: true;
}

/** The forms of the fields of an object. */
export type Fields = Readonly<Record<string, Shape<unknown>>>;
/** The type of what a shape reads. */
export type TypeOf<S> = S extends Shape<infer T> ? T : never;
type OptionalKeys<F> = { [K in keyof F]: F[K] extends OptionalShape<unknown> ? K : never }[keyof F];
type Whole<F> = { [K in Exclude<keyof F, OptionalKeys<F>>]: TypeOf<F[K]> } & {
  [K in OptionalKeys<F>]?: TypeOf<F[K]>;
};
type Flat<T> = { [K in keyof T]: T[K] };

/** The form of an object, with its fields. */
export interface ObjectShape<F extends Fields> extends Shape<Flat<Whole<F>>> {
  readonly fields: F;
}

/** Thrown where a value does not fit. `path` leads to the place. */
export class Misfit extends Error {
  readonly path: readonly PropertyKey[];
  readonly words: Words | undefined;

  constructor(path: readonly PropertyKey[] = [], words?: Words) {
    // One of several forms is found by trying them, and each that does not fit throws: a stack costs more than the reading.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super('does not fit');
    Error.stackTraceLimit = stackTraceLimit;
    this.path = path;
    this.words = words;
  }

  /** Runs `read` for a part of a value. @throws Misfit with the part's key before its path */
  static at<T>(key: PropertyKey, read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw error instanceof Misfit ? new Misfit([key, ...error.path], error.words) : error;
    }
  }
}

/** The place of a misfit in words. Keys are shown only where they are plain words: a stranger may have written them. */
export function placeOf(path: readonly PropertyKey[]): string {
  const words = path.slice(0, 8).map((key) => (/^[\w:-]{1,40}$/.test(String(key)) ? String(key) : '?'));
  return words.join('.') || 'its top';
}

/** A value that a test accepts. @param outline says as data what the test asks for, as far as data can say it */
export function guard<T>(accepts: (value: unknown) => boolean, words?: Words, outline: Outline = ANY): Shape<T> {
  const fits = (value: unknown): value is T => accepts(value);
  return {
    // A copy, so that each form has an outline of its own, by which the form can be named.
    outline: { ...outline },
    ...(words !== undefined && { words }),
    read: (value) => {
      if (fits(value)) return value;
      throw new Misfit([], words);
    },
  };
}

/** The same form, with words of its own for a value that does not fit. */
export function worded<T>({ read, outline }: Shape<T>, rule: string, remedy?: string): Shape<T> {
  const words = { rule, ...(remedy !== undefined && { remedy }) };
  return {
    outline,
    words,
    read: (value, strict) => {
      try {
        return read(value, strict);
      } catch (error) {
        throw error instanceof Misfit && error.path.length === 0 ? new Misfit([], words) : error;
      }
    },
  };
}

/** Any value. */
export function unknown(): Shape<unknown> {
  return guard(() => true);
}

/** A text, of at most `max` characters. */
export function string({
  max = Infinity,
  pattern,
}: {
  readonly max?: number;
  readonly pattern?: RegExp;
} = {}): Shape<string> {
  return guard(
    (value) => typeof value === 'string' && value.length <= max && (pattern === undefined || pattern.test(value)),
    undefined,
    { kind: 'text', ...(max !== Infinity && { max }), ...(pattern !== undefined && { pattern }) },
  );
}

/** A number; JSON has no infinite ones, but `1e999` is read as one. */
export function number(): Shape<number> {
  return guard(Number.isFinite, undefined, { kind: 'number' });
}

/** A whole number within limits. */
export function int(min: number = Number.MIN_SAFE_INTEGER, max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  const fits = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max;
  return guard(fits, { rule: `A whole number ${rangeText(min, max)}.` }, { kind: 'whole', min, max });
}

function rangeText(min: number, max: number): string {
  return max === Number.MAX_SAFE_INTEGER ? `of ${min} at least` : `from ${min} to ${max}`;
}

/** True or false. */
export function boolean(): Shape<boolean> {
  return guard((value) => typeof value === 'boolean', { rule: 'true or false.' }, { kind: 'boolean' });
}

/** One text, number or boolean. */
export function literal<const T extends string | number | boolean>(only: T): Shape<T> {
  return guard((value) => value === only, { rule: `${only}.` }, { kind: 'literal', only });
}

/** One of some texts. */
export function oneOf<const T extends string>(words: readonly T[]): Shape<T> {
  const fits = (value: unknown) => words.some((word) => word === value);
  return guard(fits, { rule: `One of ${words.join(', ')}.` }, { kind: 'word', words });
}

/** What the first form that fits makes of the value. */
export function union<T extends readonly unknown[]>(
  shapes: { readonly [K in keyof T]: Shape<T[K]> },
): Shape<T[number]> {
  return {
    outline: { kind: 'either', shapes },
    read: (value, strict) => {
      for (const shape of shapes) {
        const reading = tried(shape, value, strict);
        if (reading !== undefined) return reading.value;
      }
      throw new Misfit();
    },
  };
}

/** One of several objects, told apart by a field. */
export function variants<T extends readonly unknown[]>(
  key: string,
  shapes: { readonly [K in keyof T]: Shape<T[K]> & { readonly fields: Fields } },
): Shape<T[number]> {
  const wordsOf = ({ fields }: { readonly fields: Fields }) => fields[key]?.words?.rule.replace(/^One of |\.$/g, '');
  return {
    outline: { kind: 'either', shapes },
    read: (value, strict) => {
      const word = ownField(value, key);
      const shape = shapes.find(({ fields }) => fields[key] !== undefined && tried(fields[key], word) !== undefined);
      if (shape === undefined) throw new Misfit([key], { rule: `One of ${shapes.map(wordsOf).join(', ')}.` });
      return shape.read(value, strict);
    },
  };
}

/** An object without the fields that are not named; when it is read strictly, they do not fit. */
export function object<const F extends Fields>(fields: F): ObjectShape<F> {
  return objectShape(fields, false);
}

/** An object with all its fields: those that are not named are taken as they are. */
export function looseObject<const F extends Fields>(fields: F): ObjectShape<F> {
  return objectShape(fields, true);
}

function objectShape<F extends Fields>(fields: F, loose: boolean): ObjectShape<F>;
function objectShape(fields: Fields, loose: boolean): Shape<unknown> & { readonly fields: Fields } {
  const names = Object.keys(fields);
  const read = (value: unknown, strict = false): unknown => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Misfit([], AN_OBJECT);
    const whole: Record<string, unknown> = {};
    // In the order of the document, so that `--json` prints the document as it came.
    for (const [name, field] of Object.entries(value)) {
      const shape = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (shape !== undefined) readField(whole, name, shape, field, strict);
      else if (loose && name !== '__proto__') whole[name] = field;
      else if (strict) throw new Misfit([name], { rule: `The fields here are ${names.join(', ')}.` });
    }
    for (const name of names) {
      const shape = fields[name];
      if (shape !== undefined && !Object.hasOwn(value, name)) readMissing(whole, name, shape);
    }
    return whole;
  };
  return { read, fields, outline: { kind: 'object', fields, loose } };
}

function readField(
  whole: Record<string, unknown>,
  name: string,
  shape: Shape<unknown>,
  field: unknown,
  strict: boolean,
): void {
  if (!('droppable' in shape)) {
    whole[name] = Misfit.at(name, () => shape.read(field, strict));
    return;
  }
  const reading = tried(shape, field);
  if (reading !== undefined) whole[name] = reading.value;
}

function readMissing(whole: Record<string, unknown>, name: string, shape: Shape<unknown>): void {
  if ('optional' in shape) return;
  if (!('absent' in shape)) throw new Misfit([name], shape.words);
  whole[name] = shape.absent;
}

/** A field that may be missing. */
export function exactOptional<T>(shape: Shape<T>): OptionalShape<T> {
  return { ...shape, optional: true };
}

/** A field that is left out where it is missing or does not fit. */
export function droppable<T>(shape: Shape<T>): OptionalShape<T> & { readonly droppable: true } {
  return { ...shape, optional: true, droppable: true };
}

/** A value, or `instead` where it is missing. */
export function defaulted<T>(shape: Shape<T>, instead: T): Shape<T> & { readonly absent: T } {
  return { ...shape, absent: instead };
}

/** A value, or `instead` where it is missing or does not fit. */
export function otherwise<T, U>(shape: Shape<T>, instead: U): Shape<T | U> & { readonly absent: U } {
  const read = (value: unknown): T | U => {
    const reading = tried(shape, value);
    return reading === undefined ? instead : reading.value;
  };
  return { read, absent: instead, outline: shape.outline };
}

/** What a function makes of a value that fits. Where it throws, the value does not fit. */
export function mapped<T, U>(shape: Shape<T>, map: (value: T) => U): Shape<U> {
  return {
    outline: shape.outline,
    read: (value, strict) => {
      const fitting = shape.read(value, strict);
      try {
        return map(fitting);
      } catch {
        throw new Misfit();
      }
    },
  };
}

/** A value that also passes a test. */
export function refined<T>(shape: Shape<T>, accepts: (value: T) => boolean): Shape<T> {
  return {
    outline: shape.outline,
    read: (value, strict) => {
      const fitting = shape.read(value, strict);
      if (accepts(fitting)) return fitting;
      throw new Misfit();
    },
  };
}

/** A list of at most `max` elements. The length is looked at first. */
export function listOf<T>(of: Shape<T>, max: number): Shape<T[]> {
  const { read } = of;
  return {
    outline: { kind: 'list', of, max },
    read: (value, strict) => {
      if (!Array.isArray(value) || value.length > max) throw new Misfit([], { rule: `A list of at most ${max}.` });
      return value.map((element, index) => Misfit.at(index, () => read(element, strict)));
    },
  };
}

/** An object of at most `max` keys, all of one form, with values of one form. `__proto__` is left out. */
export function recordOf<K extends string, T>(key: Shape<K>, value: Shape<T>, max: number): Shape<Record<K, T>> {
  return recordShape(key, value, max);
}

function recordShape<K extends string, T>(key: Shape<K>, value: Shape<T>, max: number): Shape<Record<K, T>>;
function recordShape(key: Shape<string>, of: Shape<unknown>, max: number): Shape<Record<string, unknown>> {
  const { read } = of;
  return {
    outline: { kind: 'record', of, max },
    read: (object, strict) => {
      if (typeof object !== 'object' || object === null || Array.isArray(object)) throw new Misfit([], AN_OBJECT);
      const entries = Object.entries(object).filter(([name]) => name !== '__proto__');
      if (entries.length > max) throw new Misfit([], { rule: `At most ${max} fields.` });
      return Object.fromEntries(
        entries.map(([name, field]) => Misfit.at(name, () => [key.read(name), read(field, strict)])),
      );
    },
  };
}

const AN_OBJECT: Words = { rule: 'An object, in braces.' };

function tried<T>(shape: Shape<T>, value: unknown, strict?: boolean): { readonly value: T } | undefined {
  try {
    return { value: shape.read(value, strict) };
  } catch (error) {
    if (error instanceof Misfit) return undefined;
    throw error;
  }
}

function ownField(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}
