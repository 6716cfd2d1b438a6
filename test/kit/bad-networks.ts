/**
 * Documents of networks that libvirt refuses, with its code and its words, and where our caret stands. Most were compared with what
 * Debian's libvirt 9.0 answers; where versions differ, the words are those of later ones.
 */
import { readFileSync } from 'node:fs';

/** The text, libvirt's code and message, and the text at the caret. */
export type BadNetwork = readonly [text: string, code: number, message: string, at: string];

const ESCAPED: Readonly<Record<string, string>> = { '\\\\': '\\', '\\n': '\n', '\\t': '\t', '\\x01': '\u0001' };

function plain(field = ''): string {
  return field.replaceAll(/\\(?:\\|n|t|x01)/g, (sign) => ESCAPED[sign] ?? sign);
}

/** All rows. */
export const BAD_NETWORKS: readonly BadNetwork[] = readFileSync(new URL('./bad-networks.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => {
    const [text, code, message, at] = line.split('\t');
    return [plain(text), Number(code), plain(message), plain(at)];
  });

/** The document of a row: the text stands within `<network><name>n</name>`, unless it is a document itself. */
export function badDocument(text: string): string {
  return /^(<network|<foo|<!|hello|$)/.test(text) ? text : `<network><name>n</name>${text}</network>`;
}
