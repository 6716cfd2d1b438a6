/**
 * Our own element in `<metadata>`: the parts of a network that libvirt's XML has no place for. The element is made from the form
 * of a network: numbers, words and texts are attributes, parts of a part are elements, and a list is an element for each item.
 */
import type { Outline, Shape } from '../../model/form.ts';
import { NetworkShape } from '../../model/network/network-shape.ts';
import { readJson } from '../../protocol/shapes/document.ts';
import { childrenInNamespace, contentOf, typedNumber } from './text/element-reader.ts';
import { LIBVIRT_CODE, XmlNetworkError } from './text/xml-error.ts';
import { type XmlLines, xmlElement, xmlTextElement } from './text/xml-text.ts';
import type { XmlElement } from './text/xml-tree.ts';

/** The namespace of our element. */
export const OWN_NAMESPACE = 'urn:meshwork:network:1';
const PREFIX = 'mesh:';
/** Names the parts that are absent, or lists that are empty, where plain XML would say something else. */
const NONE = 'none';
/** The key of an entry of a record. */
const KEY = 'key';

/** NetworkParts of a network, as in its document in JSON. */
export type NetworkParts = Readonly<Record<string, unknown>>;

/** NetworkParts of subnets that plain XML has: what it does not say of them, by `cidr`. The field `subnets` has whole subnets. */
export const SUBNET_PARTS = 'subnetParts';

const OUTLINE = withSubnetParts(NetworkShape.outline);

/** The form of a network, with the field for parts of subnets. */
function withSubnetParts(outline: Outline): Outline {
  if (outline.kind !== 'object') return outline;
  const { subnets } = outline.fields;
  return subnets === undefined ? outline : { ...outline, fields: { ...outline.fields, [SUBNET_PARTS]: subnets } };
}

/** The element with these parts. */
export function ownElement(parts: NetworkParts): XmlLines {
  return elementOf('network', parts, OUTLINE, { 'xmlns:mesh': OWN_NAMESPACE });
}

function elementOf(name: string, value: unknown, outline: Outline, more: Record<string, string> = {}): XmlLines {
  const tag = `${PREFIX}${name}`;
  if (!isParts(value))
    return outline.kind === 'any' ? xmlTextElement(tag, JSON.stringify(value)) : xmlTextElement(tag, scalarText(value));
  const attributes: Record<string, string> = { ...more };
  const children: XmlLines[] = [];
  const none: string[] = [];
  for (const [key, part] of Object.entries(value)) {
    const of = fieldOf(outline, key);
    if (part === undefined || (Array.isArray(part) && part.length === 0)) none.push(key);
    else if (of.kind === 'any') children.push(xmlTextElement(`${PREFIX}${key}`, JSON.stringify(part)));
    else if (of.kind === 'record' && isParts(part)) {
      if (Object.keys(part).length === 0) none.push(key);
      children.push(...recordElements(key, part, of.of.outline));
    } else if (Array.isArray(part)) {
      const item = of.kind === 'list' ? of.of.outline : of;
      children.push(...part.map((one) => elementOf(key, one, item)));
    } else if (isParts(part)) children.push(elementOf(key, part, of));
    else attributes[key] = scalarText(part);
  }
  if (none.length > 0) attributes[NONE] = none.join(' ');
  return xmlElement(tag, attributes, children);
}

function recordElements(name: string, record: NetworkParts, outline: Outline): XmlLines[] {
  return Object.entries(record).map(([key, value]) =>
    xmlElement(`${PREFIX}${name}`, {
      [KEY]: key,
      value: outline.kind === 'any' ? JSON.stringify(value) : scalarText(value),
    }),
  );
}

function scalarText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return String(value);
}

/** The parts in an element. What is absent is undefined. @throws XmlNetworkError */
export function readOwnElement(element: XmlElement): NetworkParts {
  return partsIn(element, OUTLINE);
}

function partsIn(element: XmlElement, outline: Outline): NetworkParts {
  const parts: Record<string, unknown> = {};
  const known = fieldsOf(outline);
  for (const { name, value, offset } of element.attributes) {
    if (name === NONE) {
      for (const key of value.split(/\s+/).filter((one) => one !== '')) {
        const of = known[key]?.outline;
        if (of === undefined) throw unknownPart(key, offset, known);
        parts[key] = of.kind === 'list' ? [] : of.kind === 'record' ? {} : undefined;
      }
      continue;
    }
    const of = known[name]?.outline;
    if (of === undefined) throw unknownPart(name, offset, known);
    parts[name] = scalarIn(value, of, offset);
  }
  for (const child of childrenInNamespace(element, OWN_NAMESPACE)) {
    const { local: name } = child;
    const of = known[name]?.outline;
    if (of === undefined) throw unknownPart(name, child.offset, known);
    const before = parts[name];
    if (of.kind === 'record') parts[name] = { ...Object(before), ...entryIn(child, of.of.outline) };
    else if (of.kind === 'list')
      parts[name] = [...(Array.isArray(before) ? before : []), valueIn(child, of.of.outline)];
    else parts[name] = valueIn(child, of);
  }
  return parts;
}

function entryIn(element: XmlElement, outline: Outline): NetworkParts {
  const [key, value] = [KEY, 'value'].map((name) => element.attributes.find((one) => one.name === name));
  if (key === undefined || value === undefined) {
    throw refused(
      `an entry of ${element.local} needs key and value`,
      element.offset,
      'An entry has the attributes key and value.',
    );
  }
  return {
    [key.value]:
      outline.kind === 'any' ? jsonIn(value.value, value.offset) : scalarIn(value.value, outline, value.offset),
  };
}

function valueIn(element: XmlElement, outline: Outline): unknown {
  if (outline.kind === 'any') return jsonIn(contentOf(element), element.offset);
  if (Object.keys(fieldsOf(outline)).length > 0) return partsIn(element, outline);
  return scalarIn(contentOf(element), outline, element.offset);
}

function jsonIn(text: string, offset: number): unknown {
  const reading = readJson(text);
  if (reading.fault === undefined) return reading.document;
  throw refused(`the text ${reading.fault}`, offset, 'What Meshwork does not know the form of is in JSON.');
}

/** The value that a text stands for. What does not fit stays a text: the form of the network says what is wrong with it. */
function scalarIn(text: string, outline: Outline, offset: number): unknown {
  switch (outline.kind) {
    case 'boolean':
      if (text === 'yes' || text === 'no') return text === 'yes';
      throw refused(`${JSON.stringify(text.slice(0, 40))} is neither yes nor no`, offset, 'The word is yes or no.');
    case 'whole':
    case 'number':
      return /^0x[0-9a-fA-F]{1,8}$/.test(text) ? Number(text) : (typedNumber(text) ?? text);
    default:
      return text;
  }
}

/** The fields of an object; of one of several objects, those of all. */
function fieldsOf(outline: Outline): Readonly<Record<string, Shape<unknown>>> {
  if (outline.kind === 'object') return outline.fields;
  if (outline.kind !== 'either') return {};
  return Object.assign({}, ...outline.shapes.map((shape) => fieldsOf(shape.outline)));
}

function fieldOf(outline: Outline, name: string): Outline {
  return fieldsOf(outline)[name]?.outline ?? { kind: 'any' };
}

function isParts(value: unknown): value is NetworkParts {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownPart(name: string, offset: number, known: Readonly<Record<string, unknown>>): XmlNetworkError {
  const rule = `The parts here are ${Object.keys(known).join(', ')}.`;
  return refused(`there is no part ${JSON.stringify(name.slice(0, 40))} in ${PREFIX}network`, offset, rule);
}

function refused(message: string, offset: number, rule: string): XmlNetworkError {
  return new XmlNetworkError(LIBVIRT_CODE.xml, message, { offset, rule });
}
