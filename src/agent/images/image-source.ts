/** Where a disk image comes from: the words that people write, and what they mean. */
import { MeshError } from '../../model/error.ts';

/** A source of a disk image. */
export type ImageSource =
  /** A file on a web server. */
  | { readonly kind: 'web'; readonly url: URL }
  /** A file in host0's folder `isos`, by its path below it. */
  | { readonly kind: 'host0'; readonly path: string }
  /** A file on this node. */
  | { readonly kind: 'file'; readonly path: string };

const RULE =
  'A source is a URL (http or https), a file of host0 (http://host0/isos/NAME or isos/NAME), or an absolute path on the node.';
/** The longest URL that servers commonly take. */
const LENGTH_MAX = 2_000;
const HOST0_FOLDER = 'isos/';

/**
 * Reads the words of a source.
 * @throws MESH_DISK_IMAGE_SOURCE
 */
export function imageSource(text: string): ImageSource {
  if (text.length === 0 || text.length > LENGTH_MAX || hasControls(text)) throw noSource(text, 'is none');
  if (text.startsWith('/')) return { kind: 'file', path: text };
  if (text.startsWith(HOST0_FOLDER)) return ofHost0(text, text.slice(HOST0_FOLDER.length));
  if (/^[^:?#]+$/.test(text)) return ofHost0(text, text);
  if (!URL.canParse(text)) throw noSource(text, 'is none');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw noSource(text, `has the scheme ${url.protocol}`);
  if (url.username !== '' || url.password !== '') {
    // The URL is shown in lists and logs.
    url.username = '';
    url.password = '';
    throw noSource(url.href, 'has a user name or a password', 'Put the image where it can be fetched without them.');
  }
  url.hash = '';
  if (url.hostname !== 'host0') return { kind: 'web', url };
  const path = `${decoded(url.pathname)}`.replace(/^\/+/, '');
  if (path.startsWith(HOST0_FOLDER)) return ofHost0(text, path.slice(HOST0_FOLDER.length));
  throw noSource(text, 'is not in the folder isos of host0', 'Put the file into /host0/isos on host0.');
}

/** The one spelling of a source: two sources with the same spelling are the same. */
export function sourceText(source: ImageSource): string {
  switch (source.kind) {
    case 'web':
      return source.url.href;
    case 'host0':
      return `http://host0/${HOST0_FOLDER}${source.path}`;
    case 'file':
      return source.path;
  }
}

function ofHost0(text: string, path: string): ImageSource {
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..')) throw noSource(text, 'leads out of isos');
  return { kind: 'host0', path };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function hasControls(text: string): boolean {
  return [...text].some((sign) => sign < ' ' || sign === '\u007f');
}

function noSource(text: string, why: string, remedy = 'Write one of the three.'): MeshError {
  const shown = JSON.stringify(text.slice(0, 200));
  return new MeshError('MESH_DISK_IMAGE_SOURCE', `the source ${shown} ${why}`, {
    object: text.slice(0, 200),
    rule: RULE,
    remedy,
  });
}
