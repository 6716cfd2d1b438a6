/** A domain in which guests look for short names. */
import * as form from '../../form.ts';

/** Longer domains do not fit into the form that nodes of earlier versions read. */
const DOMAIN_MAX_LENGTH = 63;
/** Labels of letters, digits and hyphens (RFC 1123 §2.1). The last one has a letter: `1.5` and `10.0.0.1` are no names. */
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*(?!\d+$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/**
 * The lower-case words of radvd's configuration. radvd knows no quotes, so that it takes a domain of one of these names for the word,
 * and does not start.
 */
const RADVD_WORDS: ReadonlySet<string> = new Set([
  ...['abro', 'autoignoreprefixes', 'clients', 'high', 'ignore', 'infinity', 'interface', 'low', 'lowpanco', 'medium'],
  ...['nat64prefix', 'off', 'on', 'prefix', 'route'],
]);

/** The form of a search domain. It is read in lower case. */
export const SearchDomainShape: form.Shape<string> = form.worded(
  form.refined(
    form.mapped(form.string({ max: DOMAIN_MAX_LENGTH }), (text) => text.toLowerCase()),
    (domain) => DOMAIN.test(domain) && !RADVD_WORDS.has(domain),
  ),
  `A domain as lab.example: labels of letters, digits and inner hyphens between dots, at most ${DOMAIN_MAX_LENGTH} characters, no number, and no word of radvd as on or prefix.`,
);
