/** Reads elements and attributes as libvirt does, and refuses with its codes and words. */
import { type Ipv4, isIpv4, parseIpv4 } from '../../../model/address/ipv4.ts';
import { type Ipv6, isIpv6Text, parseIpv6 } from '../../../model/address/ipv6.ts';
import { LIBVIRT_CODE, LIBVIRT_DOMAIN, XmlNetworkError } from './xml-error.ts';
import type { XmlAttribute, XmlElement } from './xml-tree.ts';

/** What is wrong, where, and what heals it. */
export interface XmlRefusal {
  readonly at: XmlElement | XmlAttribute;
  readonly code?: number;
  readonly domain?: number;
  readonly rule: string;
  readonly remedy?: string;
}

/** The error for a part of a document. The code is that of an XML error, unless another is named. */
export function refusal(
  message: string,
  { at, code = LIBVIRT_CODE.xml, domain, rule, remedy }: XmlRefusal,
): XmlNetworkError {
  return new XmlNetworkError(code, message, {
    offset: at.offset,
    rule,
    ...(domain !== undefined && { domain }),
    ...(remedy !== undefined && { remedy }),
  });
}

/** The elements of a name in an element, without those of other namespaces. */
export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter(
    (child): child is XmlElement => child.kind === 'element' && child.local === name && child.namespace === '',
  );
}

/** The elements of a namespace in an element. */
export function childrenInNamespace(element: XmlElement, namespace: string): readonly XmlElement[] {
  return element.children.filter(
    (child): child is XmlElement => child.kind === 'element' && child.namespace === namespace,
  );
}

/** The first element of a name. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element === undefined ? undefined : childrenOf(element, name)[0];
}

/** All texts in an element, one after the other. */
export function contentOf(element: XmlElement): string {
  return element.children
    .map((child) => (child.kind === 'element' ? contentOf(child) : child.kind === 'text' ? child.text : ''))
    .join('');
}

/** An attribute without a namespace. */
export function attribute(element: XmlElement, name: string): XmlAttribute | undefined {
  return element.attributes.find((one) => one.name === name);
}

/** The text of an attribute. */
export function word(element: XmlElement, name: string): string | undefined {
  return attribute(element, name)?.value;
}

/** A place in an element: that of an attribute, or of the element where there is no such attribute. */
export function placeIn(element: XmlElement, name: string): XmlElement | XmlAttribute {
  return attribute(element, name) ?? element;
}

/** An address of either family; undefined for any other text. */
export function typedAddress(text: string): Ipv4 | Ipv6 | undefined {
  if (isIpv4(text)) return parseIpv4(text);
  return isIpv6Text(text) ? parseIpv6(text) : undefined;
}

/** Whether an attribute says yes. @throws XmlNetworkError */
export function yesNo(element: XmlElement, name: string): boolean | undefined {
  return choice(element, name, ['yes', 'no']) === undefined ? undefined : word(element, name) === 'yes';
}

/** An attribute that is one of several words. @throws XmlNetworkError */
export function choice<W extends string>(element: XmlElement, name: string, words: readonly W[]): W | undefined {
  const found = attribute(element, name);
  if (found === undefined) return undefined;
  const known = words.find((one) => one === found.value);
  if (known !== undefined) return known;
  throw refusal(`Invalid value for attribute '${name}' in element '${element.local}': '${found.value}'.`, {
    at: found,
    domain: LIBVIRT_DOMAIN.xml,
    rule: `The attribute ${name} is one of ${words.join(', ')}.`,
    remedy: `Write ${name}='${words[0] ?? ''}'`,
  });
}

/** An attribute that is a whole number. @throws XmlNetworkError */
export function whole(element: XmlElement, name: string, { isZeroAllowed = true } = {}): number | undefined {
  const found = attribute(element, name);
  if (found === undefined) return undefined;
  const number = typedNumber(found.value);
  const fault =
    number === undefined ? `'${found.value}'. Expected non-negative integer value` : 'Zero is not permitted';
  if (number !== undefined && number <= 0xffffffff && (isZeroAllowed || number > 0)) return number;
  throw refusal(`Invalid value for attribute '${name}' in element '${element.local}': ${fault}`, {
    at: found,
    domain: LIBVIRT_DOMAIN.xml,
    rule: `The attribute ${name} is a whole number${isZeroAllowed ? '' : ' of 1 or more'}.`,
  });
}

/** The number that a text of decimal digits means; undefined for any other text, and for numbers that are not exact. */
export function typedNumber(text: string): number | undefined {
  const number = /^\+?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** An attribute that must be there. @throws XmlNetworkError */
export function required(element: XmlElement, name: string): XmlAttribute {
  const found = attribute(element, name);
  if (found !== undefined) return found;
  throw refusal(`Missing required attribute '${name}' in element '${element.local}'`, {
    at: element,
    domain: LIBVIRT_DOMAIN.xml,
    rule: `The element ${element.local} has the attribute ${name}.`,
  });
}
