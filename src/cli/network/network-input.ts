/** Documents of networks that people give to a command: a file, or standard input. */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import type { Readable } from 'node:stream';
import { systemWords } from '../../formats/system-error.ts';
import type { ParsedNetwork } from '../../formats/xml/network-xml.ts';
import { MeshError } from '../../model/error.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';

/** Longer than any document that is read: what is longer is no document of a network. */
const BYTES_MAX = 4 * 1024 * 1024;

/** What messages call standard input. */
const STDIN = 'standard input';

/**
 * Reads a document in XML, JSON or YAML. The end of the name says which, else the first sign: XML begins with `<`, JSON with a
 * brace.
 * @param file `-` is standard input
 * @throws MESH_OBJECT_UNKNOWN, MESH_CONF_*, MESH_NET_INVALID
 */
export async function readNetwork(file: string): Promise<NetworkOrder> {
  const { name, text } = await inputOf(file);
  return readNetworkText(name, text);
}

/** The text of a file. @throws MESH_OBJECT_UNKNOWN, MESH_CONF_TOO_LARGE, MESH_CONF_BINARY */
export function readTextFile(file: string): Promise<string> {
  return textOf(createReadStream(file), file);
}

/** The text, and what messages call it. */
async function inputOf(file: string): Promise<{ readonly name: string; readonly text: string }> {
  const isStdin = file === '-';
  const name = isStdin ? STDIN : file;
  return { name, text: await textOf(isStdin ? process.stdin : createReadStream(file), name) };
}

/** An order with where its network is defined, which follows from the format of the document. */
export interface NetworkDocument {
  readonly order: NetworkOrder;
  readonly source: 'store' | 'libvirt';
}

/**
 * As `readNetwork`. What a document in XML defines is a network as the users of libvirt know it: its bridge is named by a
 * template, and has an Ethernet address of its own.
 * @param validate whether a document in XML is held to libvirt's schema
 * @throws those of `readNetwork`
 */
export async function readNetworkDocument(file: string, validate = false): Promise<NetworkDocument> {
  const { name, text } = await inputOf(file);
  const order = await readNetworkText(name, text, validate);
  return { order, source: isXml(name, text) ? 'libvirt' : 'store' };
}

/** The same for a text that is there. */
export async function readNetworkText(name: string, text: string, validate = false): Promise<NetworkOrder> {
  if (isXml(name, text)) {
    const { parseNetworkXml } = await import('../../formats/xml/network-xml.ts');
    return parseNetworkXml(text, { file: name, validate }).order;
  }
  if (isJson(name, text)) {
    const { readNetworkJson } = await import('../../formats/network/network-json.ts');
    return readNetworkJson(name, text);
  }
  const { readNetworkYaml } = await import('../../formats/network/network-yaml.ts');
  return readNetworkYaml(name, text);
}

function isXml(name: string, text: string): boolean {
  const ending = extname(name).toLowerCase();
  if (ending === '.yaml' || ending === '.yml' || ending === '.json') return false;
  return ending === '.xml' || /^\ufeff?\s*</.test(text);
}

function isJson(name: string, text: string): boolean {
  const ending = extname(name).toLowerCase();
  if (ending === '.yaml' || ending === '.yml') return false;
  return ending === '.json' || /^\s*[{[]/.test(text);
}

/** Whether a word names a document in XML: no network is called so by accident. */
export function isXmlFile(word: string): boolean {
  return word.toLowerCase().endsWith('.xml');
}

/** Reads an XML document with all that is to be said of it. @throws XmlNetworkError, MESH_OBJECT_UNKNOWN, MESH_CONF_* */
export async function readXmlFile(file: string, validate: boolean): Promise<ParsedNetwork> {
  const text = await textOf(createReadStream(file), file);
  const { parseNetworkXml } = await import('../../formats/xml/network-xml.ts');
  return parseNetworkXml(text, { file, validate });
}

/** @throws MESH_OBJECT_UNKNOWN, MESH_CONF_TOO_LARGE, MESH_CONF_BINARY */
async function textOf(stream: Readable, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream) {
      chunks.push(Buffer.from(chunk));
      length += Buffer.byteLength(chunk);
      if (length > BYTES_MAX) throw tooLarge(name);
    }
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError('MESH_OBJECT_UNKNOWN', `${name} cannot be read: ${systemWords(cause)}`, {
      object: name,
      cause,
    });
  }
  const bytes = Buffer.concat(chunks);
  if (!isUtf8(bytes) || bytes.includes(0)) {
    throw new MeshError('MESH_CONF_BINARY', `${name} is not text`, {
      object: name,
      rule: 'A document of a network is UTF-8 text without NUL bytes.',
      remedy: 'Save the file as UTF-8 text',
    });
  }
  return bytes.toString('utf8');
}

function tooLarge(name: string): MeshError {
  return new MeshError('MESH_CONF_TOO_LARGE', `${name} is larger than ${BYTES_MAX} bytes`, {
    object: name,
    rule: `A document of a network has at most ${BYTES_MAX} bytes.`,
    remedy: 'Name the file of one network',
  });
}
