/** The lines of a configuration of dnsmasq. Every value gets in by `setting`, which quotes it. */

/** Lines of a configuration that belong together. */
export type ConfLines = readonly string[];

/** The text of a configuration file: sections, with an empty line before each but the first. */
export function confText(...sections: readonly ConfLines[]): string {
  const [first = [], ...rest] = sections.filter((section) => section.length > 0);
  const texts = ['# Made by Meshwork; changes are overwritten.', ...first, ...rest.flatMap((lines) => ['', ...lines])];
  return texts.map((text) => `${text}\n`).join('');
}

/** Characters that mean nothing to dnsmasq, besides the commas that stand between the parts of a value. */
const PLAIN = /^[\w.@+:/!-]*$/;

type Value = string | number;

/**
 * One line. A value with other than plain characters is put in quotes, in which dnsmasq takes commas, blanks and # as they are
 * (option.c, read_file). A list becomes its values with commas between them.
 */
export function setting(parts: TemplateStringsArray, ...values: readonly (Value | readonly Value[])[]): string {
  const texts = values.map((value) => (Array.isArray(value) ? value.map(quoted).join(',') : quoted(`${value}`)));
  return String.raw({ raw: parts }, ...texts);
}

/** The same text as `value`, in square brackets: so dnsmasq wants IPv6 addresses in some places. Only for addresses. */
export function bracketed(address: string): string {
  return `[${address}]`;
}

function quoted(value: Value): string {
  const text = `${value}`;
  return PLAIN.test(text) || /^\[[0-9a-f:.]+\]$/.test(text)
    ? text
    : `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`;
}

/**
 * Whether dnsmasq takes this text as the name of an interface as it is. A final `*` would be a pattern, and quotes do not
 * hide it.
 */
export function isDnsmasqName(text: string): boolean {
  return /^[\w.@+-]+$/.test(text);
}

/** What to do when dnsmasq has ended, by the last line of its output. */
export const DNSMASQ_REMEDIES = [
  {
    says: 'Address already in use',
    remedy: 'Another program on this machine listens on UDP port 67, 69 or 4011: find it with `ss -lunp`, and stop it.',
  },
] as const;
