/** Prints forms as JSON Schema (draft 2020-12, as OpenAPI 3.1 has it). */
import type { Fields, Outline, Shape } from '../shapes/form.ts';

/** A schema. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** Whether a value is written as it is read: a switch is read as true, and written as 1. */
function isOwnValue({ read }: Shape<unknown>, value: unknown): boolean {
  try {
    return read(value) === value || typeof value === 'object';
  } catch {
    return false;
  }
}

/** Prints forms. A form that has a name is printed once, among the components, and referred to. */
export class SchemaPrinter {
  readonly #names: ReadonlyMap<Outline, string>;
  readonly #printed = new Map<string, JsonSchema>();

  constructor(names: ReadonlyMap<Outline, string>) {
    this.#names = names;
  }

  /** The schema of a form. */
  schemaOf(shape: Shape<unknown>): JsonSchema {
    const { outline } = shape;
    const more = {
      ...(shape.words !== undefined && { description: shape.words.rule }),
      ...('absent' in shape && isOwnValue(shape, shape.absent) && { default: shape.absent }),
    };
    const name = this.#names.get(outline);
    if (name === undefined) return { ...this.#plain(outline), ...more };
    if (!this.#printed.has(name)) {
      // Before its parts are printed: a form may have itself as a part.
      this.#printed.set(name, {});
      this.#printed.set(name, this.#plain(outline));
    }
    return { $ref: `#/components/schemas/${name}`, ...more };
  }

  /** The named schemas that were referred to, by their names. */
  components(): Readonly<Record<string, JsonSchema>> {
    return Object.fromEntries([...this.#printed].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #plain(outline: Outline): JsonSchema {
    switch (outline.kind) {
      case 'any':
        return {};
      case 'number':
      case 'boolean':
        return { type: outline.kind };
      case 'text':
        return {
          type: 'string',
          ...(outline.max !== undefined && { maxLength: outline.max }),
          ...(outline.pattern !== undefined && { pattern: outline.pattern.source }),
        };
      case 'whole':
        return {
          type: 'integer',
          ...(outline.min !== Number.MIN_SAFE_INTEGER && { minimum: outline.min }),
          ...(outline.max !== Number.MAX_SAFE_INTEGER && { maximum: outline.max }),
        };
      case 'literal':
        return { const: outline.only };
      case 'word':
        return { type: 'string', enum: outline.words };
      case 'either':
        return { anyOf: outline.shapes.map((shape) => this.schemaOf(shape)) };
      case 'list':
        return { type: 'array', items: this.schemaOf(outline.of), maxItems: outline.max };
      case 'record':
        return { type: 'object', additionalProperties: this.schemaOf(outline.of), maxProperties: outline.max };
      case 'object':
        return this.#object(outline.fields);
    }
  }

  #object(fields: Fields): JsonSchema {
    const entries = Object.entries(fields);
    const required = entries.filter(([, shape]) => !('optional' in shape || 'absent' in shape)).map(([name]) => name);
    return {
      type: 'object',
      properties: Object.fromEntries(entries.map(([name, shape]) => [name, this.schemaOf(shape)])),
      ...(required.length > 0 && { required }),
    };
  }
}
