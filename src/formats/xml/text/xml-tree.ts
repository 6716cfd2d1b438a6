/**
 * XML text as a tree of elements, each with its place. Documents come from strangers: a document type, and with it entities, is
 * refused, and length, depth and count have limits. Nothing is loaded, expanded or executed.
 */
import { type NamespaceScope, namespaceIn } from './namespace-scope.ts';
import { impossibleAt, isXmlText } from './xml-text.ts';

/** The namespace of names that begin with `xml:` (Namespaces in XML 1.0 §3). */
const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';

/** A document of a network with thousands of reservations has 500 kB. */
const LENGTH_MAX = 4 * 1024 * 1024;
/** Networks are nested less than ten deep; metadata are of any form. */
const DEPTH_MAX = 64;
/** The most elements, attributes and texts together. */
const PARTS_MAX = 200_000;

/** An attribute, without those that declare namespaces. */
export interface XmlAttribute {
  /** As it is written, with its prefix. */
  readonly name: string;
  readonly namespace: string;
  readonly value: string;
  readonly offset: number;
}

/** A text or a comment between elements. */
export interface XmlText {
  readonly kind: 'text' | 'comment';
  readonly text: string;
  readonly offset: number;
}

/** An element. */
export interface XmlElement {
  readonly kind: 'element';
  /** As it is written, with its prefix. */
  readonly name: string;
  /** The name without its prefix. */
  readonly local: string;
  /** Empty where there is none. */
  readonly namespace: string;
  readonly attributes: readonly XmlAttribute[];
  /** The namespaces that this element declares, by prefix; the empty prefix is that of elements without one. */
  readonly declared: ReadonlyMap<string, string>;
  readonly children: readonly (XmlElement | XmlText)[];
  readonly offset: number;
}

/** A text that is no XML, or not XML that is read here. */
export class XmlFault extends Error {
  readonly offset: number;
  readonly remedy: string | undefined;

  constructor(offset: number, message: string, remedy?: string) {
    super(message);
    this.offset = offset;
    this.remedy = remedy;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const NAME = /[\p{L}_][\p{L}\p{N}._-]*(?::[\p{L}_][\p{L}\p{N}._-]*)?/uy;
const BLANK = /[ \t\r\n]*/y;
const WHOLE_NAME = new RegExp(`^(?:${NAME.source})$`, 'u');

/** Whether a text is a name that is read here, with or without a prefix. */
export function isXmlName(text: string): boolean {
  return WHOLE_NAME.test(text);
}

/** Whether a document can declare a prefix: `xml` and `xmlns` mean something already. */
export function isXmlPrefix(text: string): boolean {
  return isXmlName(text) && !text.includes(':') && text !== 'xml' && text !== 'xmlns';
}

/** The root element of a document. @throws XmlFault */
export function parseXml(text: string): XmlElement {
  if (text.length > LENGTH_MAX) throw new XmlFault(0, `Document is longer than ${LENGTH_MAX} characters`);
  const forbidden = impossibleAt(text);
  if (forbidden !== -1) throw new XmlFault(forbidden, 'PCDATA invalid Char value');
  return new Reading(text).root();
}

/** What is open around the place that is read. */
interface Open {
  readonly name: string;
  readonly element: XmlElement & { readonly children: (XmlElement | XmlText)[] };
  readonly namespaces: NamespaceScope;
}

class Reading {
  readonly #text: string;
  #at = 0;
  #parts = 0;

  constructor(text: string) {
    this.#text = text;
  }

  root(): XmlElement {
    if (this.#text.charCodeAt(0) === 0xfeff) this.#at = 1;
    if (this.#text.slice(this.#at).trim() === '') throw new XmlFault(this.#at, 'Document is empty');
    if (/^<\?xml[ \t\r\n]/.test(this.#text.slice(this.#at, this.#at + 6))) this.#instruction();
    this.#misc();
    if (this.#text[this.#at] !== '<') throw new XmlFault(this.#at, "Start tag expected, '<' not found");
    const open: Open[] = [];
    const namespaces = { declared: new Map([['xml', XML_NAMESPACE]]) };
    let root = this.#start(open, namespaces);
    while (open.length > 0) root = this.#content(open) ?? root;
    this.#misc();
    if (this.#at < this.#text.length) throw new XmlFault(this.#at, 'Extra content at the end of the document');
    return root;
  }

  /** Blanks, comments and instructions beside the root element. */
  #misc(): void {
    for (;;) {
      this.#blanks();
      if (this.#isAt('<!--')) this.#comment();
      else if (this.#isAt('<?')) this.#instruction();
      else if (this.#isAt('<!')) throw this.#doctype();
      else return;
    }
  }

  #doctype(): XmlFault {
    const remedy = 'Leave the document type out, and write characters in place of entities';
    return new XmlFault(this.#at, 'a document type is not read: entities are not trusted', remedy);
  }

  /** One step inside an element. */
  #content(open: Open[]): XmlElement | undefined {
    const top = open.at(-1);
    if (top === undefined) return undefined;
    if (this.#at >= this.#text.length) {
      const line = lineAt(this.#text, top.element.offset);
      // A start in place of an end, as in <network> … <network>: the last element is empty, and named like the one around it.
      const isEmpty = top.element.children.every((child) => child.kind === 'text' && child.text.trim() === '');
      if (isEmpty && open.at(-2)?.name === top.name) {
        const message = `Premature end of data in tag ${top.name} line ${line}`;
        throw new XmlFault(top.element.offset, message, `Write </${top.name}>`);
      }
      throw new XmlFault(this.#at, `Premature end of data in tag ${top.name} line ${line}`, `Write </${top.name}>`);
    }
    const { children } = top.element;
    if (this.#isAt('</')) return this.#end(open, top);
    if (this.#isAt('<!--')) {
      const offset = this.#at;
      children.push({ kind: 'comment', text: this.#comment(), offset });
    } else if (this.#isAt('<![CDATA[')) {
      const offset = this.#at;
      children.push({
        kind: 'text',
        text: this.#until('<![CDATA['.length, ']]>', 'CData section not finished'),
        offset,
      });
      this.#count();
    } else if (this.#isAt('<?')) this.#instruction();
    else if (this.#isAt('<!')) throw this.#doctype();
    else if (this.#isAt('<')) this.#start(open, top.namespaces);
    else {
      const offset = this.#at;
      const next = this.#text.indexOf('<', offset);
      this.#at = next === -1 ? this.#text.length : next;
      children.push({ kind: 'text', text: this.#decoded(offset, this.#at), offset });
      this.#count();
    }
    return undefined;
  }

  #start(open: Open[], outer: NamespaceScope): XmlElement {
    const offset = this.#at;
    this.#count();
    if (open.length >= DEPTH_MAX) throw new XmlFault(offset, `Excessive depth in document: ${DEPTH_MAX}`);
    this.#at++;
    const name = this.#name('StartTag: invalid element name');
    const written: { name: string; value: string; offset: number }[] = [];
    const names = new Set<string>();
    for (;;) {
      const hadBlank = this.#blanks();
      if (this.#isAt('>') || this.#isAt('/>')) break;
      if (this.#at >= this.#text.length) throw new XmlFault(this.#at, `Couldn't find end of Start Tag ${name}`);
      if (!hadBlank) throw new XmlFault(this.#at, 'attributes construct error');
      written.push(this.#attribute(names, name));
    }
    const declared = new Map<string, string>();
    for (const { name: key, value } of written) {
      if (key === 'xmlns') declared.set('', value);
      else if (key.startsWith('xmlns:')) declared.set(key.slice('xmlns:'.length), value);
    }
    const namespaces = declared.size === 0 ? outer : { declared, outer };
    const space = (key: string, at: number, isElement: boolean): string => {
      const [prefix, local] = key.includes(':') ? key.split(':', 2) : ['', key];
      if (prefix === '') return isElement ? (namespaceIn(namespaces, '') ?? '') : '';
      const found = namespaceIn(namespaces, prefix ?? '');
      if (found === undefined) {
        throw new XmlFault(
          at,
          `Namespace prefix ${prefix} on ${local} is not defined`,
          `Declare it: xmlns:${prefix}="…"`,
        );
      }
      return found;
    };
    const element = {
      kind: 'element' as const,
      name,
      local: name.slice(name.indexOf(':') + 1),
      namespace: space(name, offset, true),
      attributes: written
        .filter(({ name: key }) => key !== 'xmlns' && !key.startsWith('xmlns:'))
        .map((one) => ({ ...one, namespace: space(one.name, one.offset, false) })),
      declared,
      children: [],
      offset,
    };
    open.at(-1)?.element.children.push(element);
    if (this.#isAt('/>')) this.#at += 2;
    else {
      this.#at++;
      open.push({ name, element, namespaces });
    }
    return element;
  }

  /** @param names those of the attributes before this one */
  #attribute(names: Set<string>, element: string): { name: string; value: string; offset: number } {
    const offset = this.#at;
    this.#count();
    const name = this.#name(`Couldn't find end of Start Tag ${element}`);
    this.#blanks();
    if (!this.#isAt('=')) throw new XmlFault(this.#at, `Specification mandates value for attribute ${name}`);
    this.#at++;
    this.#blanks();
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'") throw new XmlFault(this.#at, `AttValue: " or ' expected`);
    const end = this.#text.indexOf(quote, this.#at + 1);
    if (end === -1) throw new XmlFault(this.#at, `AttValue: ' expected`, `Write the closing ${quote}`);
    // The search ends with the value: the next sign may be at the end of the document.
    const less = this.#text.slice(this.#at + 1, end).indexOf('<');
    if (less !== -1) {
      throw new XmlFault(
        this.#at + 1 + less,
        "Unescaped '<' not allowed in attributes values",
        'Write &lt;, or the closing quote',
      );
    }
    if (names.has(name)) throw new XmlFault(offset, `Attribute ${name} redefined`);
    names.add(name);
    const value = this.#decoded(this.#at + 1, end, true);
    this.#at = end + 1;
    return { name, value, offset };
  }

  #end(open: Open[], top: Open): XmlElement | undefined {
    const offset = this.#at;
    this.#at += 2;
    const name = this.#name('EndTag: invalid name');
    this.#blanks();
    if (name !== top.name) {
      const line = lineAt(this.#text, top.element.offset);
      throw new XmlFault(
        offset,
        `Opening and ending tag mismatch: ${top.name} line ${line} and ${name}`,
        `Write </${top.name}>`,
      );
    }
    if (!this.#isAt('>')) throw new XmlFault(this.#at, "expected '>'");
    this.#at++;
    open.pop();
    return open.length === 0 ? top.element : undefined;
  }

  #comment(): string {
    const text = this.#until('<!--'.length, '-->', 'Comment not terminated');
    this.#count();
    return text;
  }

  #instruction(): void {
    this.#until('<?'.length, '?>', 'PI is not finished');
  }

  #until(skip: number, end: string, message: string): string {
    const start = this.#at + skip;
    const found = this.#text.indexOf(end, start);
    if (found === -1) throw new XmlFault(this.#at, message);
    this.#at = found + end.length;
    return this.#text.slice(start, found);
  }

  #name(message: string): string {
    NAME.lastIndex = this.#at;
    const [name] = NAME.exec(this.#text) ?? [];
    if (name === undefined) throw new XmlFault(this.#at, message);
    this.#at += name.length;
    return name;
  }

  #blanks(): boolean {
    BLANK.lastIndex = this.#at;
    const [blanks = ''] = BLANK.exec(this.#text) ?? [];
    this.#at += blanks.length;
    return blanks !== '';
  }

  #isAt(sign: string): boolean {
    return this.#text.startsWith(sign, this.#at);
  }

  /** A text with its references decoded. Blanks of an attribute become spaces (XML 1.0 §3.3.3). */
  #decoded(start: number, end: number, isAttribute = false): string {
    const raw = this.#text.slice(start, end).replaceAll(/\r\n?/g, '\n');
    const text = isAttribute ? raw.replaceAll(/[\n\t]/g, ' ') : raw;
    if (!text.includes('&')) return text;
    return text.replaceAll(/&([^;&\s]{0,32};?)/g, (_, reference: string) => {
      const character = reference.endsWith(';') ? referenced(reference.slice(0, -1)) : undefined;
      if (character !== undefined) return character;
      const at = start + Math.max(0, this.#text.slice(start, end).indexOf(`&${reference}`));
      throw new XmlFault(at, `Entity '${reference.replace(';', '')}' not defined`, 'Write &amp; for a plain &');
    });
  }

  #count(): void {
    if (++this.#parts > PARTS_MAX) throw new XmlFault(this.#at, `Document has more than ${PARTS_MAX} parts`);
  }
}

function referenced(name: string): string | undefined {
  const digits = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(name);
  if (digits === null) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined;
  const [, hex, decimal] = digits;
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
  if (code > 0x10ffff) return undefined;
  const character = String.fromCodePoint(code);
  return isXmlText(character) ? character : undefined;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
