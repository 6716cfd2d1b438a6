/** The language of man(7): its escapes, and the parts that every manual page is made of. */

/** Escapes text for roff: backslashes and hyphens everywhere, full stops and apostrophes at the start of a line. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1');
}

/** What the head of a page says. */
export interface PageHead {
  readonly name: string;
  /** 1 for commands, 5 for formats of files. */
  readonly section: 1 | 5;
  readonly version: string;
  /** One sentence. */
  readonly brief: string;
}

/** A whole page. @param sections lines of roff */
export function manPage({ name, section, version, brief }: PageHead, sections: readonly string[]): string {
  const first = brief.replace(/^Meshwork turns/, 'turns').replace(/\.$/, '');
  return [
    `.TH ${roff(name.toUpperCase())} ${section} "" "meshwork ${version}" "Meshwork"`,
    ...manSection('NAME', [`${roff(name)} \\- ${roff(first)}`]),
    ...sections,
    '',
  ].join('\n');
}

/** A section with a title; nothing where there are no lines. */
export function manSection(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`.SH ${title}`, ...lines];
}

/** An item of a list of terms. @param term roff */
export function manItem(term: string, text: string): string[] {
  return ['.TP', term, roff(text)];
}

/** Lines as they are, such as examples. */
export function manExample(text: string): string[] {
  return ['.PP', '.EX', ...text.split('\n').map(roff), '.EE'];
}
