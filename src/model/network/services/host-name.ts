/** Names of hosts, and domains of names (RFC 1123 §2.1). */
import * as form from '../../form.ts';

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const HOST = new RegExp(`^${LABEL}$`);
const DOMAIN = new RegExp(`^(?:${LABEL}\\.)*(?!\\d+$)${LABEL}$`);
/** The longest name of DNS as text (RFC 1035 §2.3.4). */
const NAME_MAX_LENGTH = 253;

/** What dnsmasq reads in a reservation as an order, or as how long a lease lasts (option.c, `dhcp-host`). */
const DNSMASQ_WORD = /^(?:ignore|infinite|\d+[smhdw])$/;

/**
 * Whether a text is the name of a host without its domain, in lower case. A number alone is none: it could be an address. Nor is a word
 * that dnsmasq takes for something else.
 */
export function isHostName(text: string): boolean {
  return HOST.test(text) && !/^\d+$/.test(text) && !DNSMASQ_WORD.test(text);
}

const lowerCase = form.mapped(form.string({ max: NAME_MAX_LENGTH }), (text) => text.toLowerCase());

/** The form of a host's name without its domain. It is read in lower case. */
export const HostLabelShape: form.Shape<string> = form.worded(
  form.refined(lowerCase, isHostName),
  'The name of a host, as web or db-1: at most 63 letters, digits and inner hyphens; no number, and not `ignore`, `infinite` or a time as 45m.',
);

/** The form of a name with or without a domain, and of a domain. It is read in lower case. */
export const DomainNameShape: form.Shape<string> = form.worded(
  form.refined(lowerCase, (text) => DOMAIN.test(text)),
  'A name as web or web.blue.example: labels of letters, digits and inner hyphens between dots.',
);
