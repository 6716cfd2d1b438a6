/**
 * How text becomes part of an nft script. Names of interfaces, set elements and verdict-map keys go into nft only through
 * these functions: each gives text that nft reads as one word, or throws.
 */
import { MeshError } from '../../model/error.ts';

/** IFNAMSIZ of linux/if.h, less its final zero byte. */
const NAME_BYTES_MAX = 15;
const NAME = new RegExp(`^[\\w.@+-]{1,${NAME_BYTES_MAX}}$`);
/** A number, an address, a subnet or a quoted device name. */
const WORD = `(?:(?:0x)?[0-9a-f.:/]+|"[\\w.@+-]{1,${NAME_BYTES_MAX}}")`;
/** What a verdict map says of a key. */
const VERDICT = '(?:accept|drop|goto [a-z][a-z0-9_-]*)';
/** One word, or several with dots between them for a concatenated type; in a verdict map, with a verdict. */
const ELEMENT = new RegExp(`^${WORD}(?: \\. ${WORD})*(?: : ${VERDICT})?$`);

/** Whether rules can name this interface: nft cannot escape a quote, and reads a final `*` as a pattern. */
export function isNftName(link: string): boolean {
  return NAME.test(link);
}

/**
 * The name of an interface in quotes, so that nft does not read it as a keyword.
 * @throws MESH_INTERNAL for a name that nft cannot hold (`isNftName`)
 */
export function nftName(link: string): string {
  if (!isNftName(link)) throw notText(link, 'the name of an interface');
  return `"${link}"`;
}

/**
 * Set elements as nft reads them.
 * @throws MESH_INTERNAL for a text that is more than one element
 */
export function nftElements(elements: Iterable<string>): string {
  const list = [...elements];
  for (const element of list) if (!ELEMENT.test(element)) throw notText(element, 'one element of an nft set');
  return list.join(', ');
}

function notText(text: string, what: string): MeshError {
  return new MeshError('MESH_INTERNAL', `${JSON.stringify(text.slice(0, 100))} is not ${what}`);
}
