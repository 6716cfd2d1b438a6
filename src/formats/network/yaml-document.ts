/**
 * YAML 1.2 with its core schema: what people know from JSON, without quotes and braces. `yes` and `12:30` are texts, `010` is ten,
 * `0x1000` is 4096. What only few know is refused: tags, merged and doubled keys, several documents in one file.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument } from 'yaml';
import { MeshError } from '../../model/error.ts';
import type { Words } from '../../model/form.ts';
import { type PartPath, placeAt } from './written-network.ts';

/** The longest text: the parser takes up to 2.5 s for one of this length. A network with thousands of reservations has 500 kB. */
export const YAML_LENGTH_MAX = 1024 * 1024;
/** Networks are nested less than ten deep. */
const DEPTH_MAX = 32;
/** The most values, with those that aliases repeat. */
const VALUES_MAX = 100_000;

/** A parsed document, with the places of its parts. */
export interface YamlDocument {
  readonly value: unknown;
  /** Where a part begins, in characters; the nearest part above, where there is none. */
  readonly offsetOf: (path: PartPath) => number;
  /** The word of a part that stands without quotes, and is no text. */
  readonly wordAt: (path: PartPath) => string | undefined;
}

const YAML_RULE =
  'A document of a network is YAML: lines of `key: value`, with parts of a part indented by two spaces.';
const COMPARE = 'Compare it with one that host0 prints: `mesh network show NAME --yaml`';

/** What to say of the faults that the parser finds most often. */
const FAULTS: Readonly<Record<string, Words & { readonly message: string }>> = {
  TAB_AS_INDENT: {
    message: 'the line is indented by a tab',
    rule: 'YAML is indented by spaces.',
    remedy: 'Put spaces in the place of the tab',
  },
  MULTIPLE_DOCS: {
    message: 'another document begins',
    rule: 'A file has one document, which is one network.',
    remedy: 'Put each network into a file of its own',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a key begins within a value',
    rule: 'After `key:` there is one value, or its parts on lines of their own.',
    remedy: 'Put a text with a colon into quotes, and each key on a line of its own',
  },
  BAD_SCALAR_START: {
    message: 'the text begins with a sign that means something else in YAML',
    rule: 'A text that begins with such a sign is in quotes.',
    remedy: 'Put the text into quotes',
  },
  TAG_RESOLVE_FAILED: { message: 'the value has a tag', rule: 'A value has no tag.', remedy: 'Leave the tag out' },
};

/**
 * @param file its name, for errors
 * @throws MESH_CONF_SYNTAX, MESH_CONF_KEY_TWICE, MESH_CONF_TOO_LARGE with the place in the file
 */
export function parseYaml(file: string, text: string): YamlDocument {
  if (text.length > YAML_LENGTH_MAX) {
    throw new MeshError('MESH_CONF_TOO_LARGE', `${file} is longer than ${YAML_LENGTH_MAX} characters`, {
      object: file,
      rule: `A document of a network has at most ${YAML_LENGTH_MAX} characters.`,
      remedy: 'Name the file of one network',
    });
  }
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    stringKeys: true,
    // The parser compares each key with each other one; `Reading` looks them up.
    uniqueKeys: false,
    resolveKnownTags: false,
    prettyErrors: false,
  });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    const { message, ...words } = FAULTS[fault.code] ?? {
      message: `the document is no YAML: ${fault.message.slice(0, 100)}`,
      rule: YAML_RULE,
      remedy: COMPARE,
    };
    throw new MeshError('MESH_CONF_SYNTAX', message, { ...words, place: placeAt(file, text, fault.pos[0]) });
  }
  const reading = new Reading(file, text);
  const value = reading.read(document.contents, 0);
  return {
    value,
    offsetOf: (path) => nodeAt(document, reading.anchors, path).offset,
    wordAt: (path) => {
      const { node } = nodeAt(document, reading.anchors, path);
      const isWord = isScalar(node) && node.type === 'PLAIN' && typeof node.value !== 'string';
      return isWord && node.source !== undefined && node.source !== '' ? node.source : undefined;
    },
  };
}

type Anchors = ReadonlyMap<string, Node>;

/** Makes values of nodes. */
class Reading {
  readonly #file: string;
  readonly #text: string;
  readonly #anchors = new Map<string, Node>();
  #values = 0;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }

  get anchors(): Anchors {
    return this.#anchors;
  }

  read(node: unknown, depth: number): unknown {
    if (++this.#values > VALUES_MAX) throw this.#fault(node, `it has more than ${VALUES_MAX} values`);
    if (depth > DEPTH_MAX) throw this.#fault(node, `it is nested deeper than ${DEPTH_MAX}`);
    if (isAlias(node)) {
      const anchored = this.#anchors.get(node.source);
      if (anchored === undefined) throw this.#fault(node, `nothing above has the anchor &${node.source}`);
      return this.read(anchored, depth + 1);
    }
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) {
      this.#anchors.set(node.anchor, node);
    }
    if (isSeq(node)) return node.items.map((item) => this.read(item, depth + 1));
    if (isScalar(node)) return node.value;
    if (!isMap(node)) return null;
    const fields = new Map<string, unknown>();
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      if (fields.has(name)) throw this.#twice(key, name);
      fields.set(name, this.read(value, depth + 1));
    }
    return Object.fromEntries(fields);
  }

  #twice(key: unknown, name: string): MeshError {
    return new MeshError('MESH_CONF_KEY_TWICE', `${name.slice(0, 100)} stands twice`, {
      rule: 'A key stands once in its object.',
      remedy: 'Remove one of the two',
      place: placeAt(this.#file, this.#text, offsetOfNode(key) ?? 0),
    });
  }

  #fault(node: unknown, what: string): MeshError {
    return new MeshError('MESH_CONF_SYNTAX', `the document cannot be read: ${what}`, {
      rule: YAML_RULE,
      remedy: COMPARE,
      place: placeAt(this.#file, this.#text, offsetOfNode(node) ?? 0),
    });
  }
}

function nodeAt(
  document: Document,
  anchors: Anchors,
  path: PartPath,
): { readonly node: unknown; readonly offset: number } {
  let node: unknown = document.contents;
  let offset = offsetOfNode(node) ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = anchors.get(node.source);
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && String(key.value) === step) : undefined;
    const next = isSeq(node) ? node.items[Number(step)] : pair?.value;
    if (next === undefined) return { node: undefined, offset };
    node = next;
    offset = offsetOfNode(pair?.key ?? next) ?? offset;
  }
  return { node, offset };
}

function offsetOfNode(node: unknown): number | undefined {
  const isPlaced = isMap(node) || isSeq(node) || isScalar(node) || isAlias(node);
  return isPlaced ? node.range?.[0] : undefined;
}
