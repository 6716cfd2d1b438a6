/** PCI addresses, as `<address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x1'/>`. */
import { attribute, placeIn, refusal } from '../text/element-reader.ts';
import { LIBVIRT_DOMAIN } from '../text/xml-error.ts';
import { type XmlLines, xmlElement } from '../text/xml-text.ts';
import type { XmlElement } from '../text/xml-tree.ts';

const MAX = { domain: 0xffffffff, bus: 0xff, slot: 0x1f, function: 7 } as const;
type Part = keyof typeof MAX;

/** The text of an address, as `0000:03:10.1`. @throws XmlNetworkError */
export function readPciAddress(element: XmlElement): string {
  const part = (name: Part): number => {
    const found = attribute(element, name);
    if (found === undefined) return 0;
    const at = placeIn(element, name);
    const rule = `The ${name} of a PCI address is a number from 0 to 0x${MAX[name].toString(16)}.`;
    const number = /^(0[xX][0-9a-fA-F]{1,8}|\d{1,10})$/.test(found.value) ? Number(found.value) : undefined;
    if (number === undefined) {
      const message = `Invalid value for attribute '${name}' in element 'address': '${found.value}'. Expected non-negative integer value`;
      throw refusal(message, { at, domain: LIBVIRT_DOMAIN.xml, rule });
    }
    if (number <= MAX[name]) return number;
    const hex = name === 'function' ? '7' : `0x${MAX[name].toString(16).toUpperCase()}`;
    const shown = `0x${number.toString(16)}`;
    const quoted = name === 'function' ? shown : `'${shown}'`;
    const message = `Invalid PCI address ${name}=${quoted}, must be <= ${hex}`;
    throw refusal(message, { at, rule });
  };
  const hex = (name: Part, digits: number) => part(name).toString(16).padStart(digits, '0');
  return `${hex('domain', 4)}:${hex('bus', 2)}:${hex('slot', 2)}.${hex('function', 1)}`;
}

/** An address as an element. */
export function pciElement(card: string): XmlLines {
  const [domain, bus, slot, fn] = card.split(/[:.]/).map((part) => `0x${part}`);
  return xmlElement('address', { type: 'pci', domain, bus, slot, function: fn });
}
