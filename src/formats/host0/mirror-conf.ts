/**
 * From where host0 mirrors Alpine's packages, `/host0/mirror.conf`: lines of `key="value"`.
 *
 *     source="https://mirror.example.org/alpine"   # a URL, or a directory of this machine
 *     release="v3.19"                              # of Alpine
 *     repositories="main" "community"              # by default, these two
 *     tagged="edge=edge/testing"                   # TAG=PATH below the source, for packages that are named with @TAG
 *     architecture="x86_64"
 *     mode="exact"                                 # or superset: also what machines could install otherwise
 *     netboot="3.19.1"                             # also kernel, initramfs and modloop of this release
 *     kernel="lts"                                 # which of its kernels
 *     netboot_sha256="HEX" "HEX" "HEX"             # of its kernel, initramfs and modloop
 */
import { MeshError } from '../../model/error.ts';
import { type ConfEntry, parseConfText } from '../conf/conf-file.ts';
import { ConfKeys, quoted } from '../conf/conf-keys.ts';

/** How much of a repository a mirror has. */
export type MirrorMode = 'exact' | 'superset';

/** A repository below the source. */
export interface MirroredRepository {
  /** Such as `v3.19/main`. */
  readonly path: string;
  readonly tag?: string;
}

/** Kernel, initramfs and modloop of one release. */
export interface NetbootSettings {
  readonly version: string;
  readonly kernel: string;
  /** Of the three files, in this order, in hex; absent: the source vouches for them. */
  readonly sha256?: readonly string[];
}

/** All settings. */
export interface MirrorSettings {
  /** A URL without a slash at its end, or an absolute path. */
  readonly source: string;
  readonly release: string;
  readonly repositories: readonly MirroredRepository[];
  readonly architecture: string;
  readonly mode: MirrorMode;
  /** Kernel, initramfs and modloop of one release; undefined: none. */
  readonly netboot: NetbootSettings | undefined;
}

/** The keys of mirror.conf. */
export const MIRROR_KEYS = [
  'source',
  'release',
  'repositories',
  'tagged',
  'architecture',
  'mode',
  'netboot',
  'kernel',
  'netboot_sha256',
] as const;
type MirrorKey = (typeof MIRROR_KEYS)[number];

const DEFAULT_REPOSITORIES = ['main', 'community'];
const RELEASE = /^(?:v\d{1,2}\.\d{1,3}|edge)$/;
const NAME = /^[a-z0-9][a-z0-9_-]{0,40}$/;
const TAGGED = /^([a-z0-9][a-z0-9._-]{0,20})=((?:v\d{1,2}\.\d{1,3}|edge)\/[a-z0-9][a-z0-9_-]{0,40})$/;

/**
 * Parses a file; `file` is its name in errors.
 * @returns the settings, or every error of the file: MESH_CONF_*, MESH_MIRROR_CONF
 */
export function parseMirrorConf(file: string, bytes: Uint8Array): MirrorSettings | readonly MeshError[] {
  const text = parseConfText(file, bytes);
  if (text instanceof MeshError) return [text];
  const keys = new ConfKeys(text, MIRROR_KEYS);
  const one = (key: MirrorKey, rule: string, example: string, isSound: (word: string) => boolean) =>
    keys.optional(key, (entry) => oneWord(entry, rule, example, isSound));
  const source = keys.required('source', (entry) => oneWord(entry, SOURCE_RULE, SOURCE_EXAMPLE, isSource), {
    rule: SOURCE_RULE,
    remedy: `Write a line source="${SOURCE_EXAMPLE}"`,
  });
  const release = keys.required('release', (entry) => oneWord(entry, RELEASE_RULE, 'v3.19', isRelease), {
    rule: RELEASE_RULE,
    remedy: 'Write a line release="v3.19"',
  });
  const names =
    keys.optional('repositories', (entry) => someWords(entry, 'A repository has a plain name.', 'main', isName)) ??
    DEFAULT_REPOSITORIES;
  const tagged =
    keys.optional('tagged', (entry) =>
      someWords(entry, TAGGED_RULE, 'edge=edge/testing', (word) => TAGGED.test(word)),
    ) ?? [];
  const architecture = one('architecture', 'An architecture is a word, as in x86_64.', 'x86_64', isName) ?? 'x86_64';
  const mode = one('mode', 'The mode is exact or superset.', 'exact', isMode) ?? 'exact';
  const version = one('netboot', 'A release for netboot has three numbers.', '3.19.1', (word) =>
    /^\d{1,2}\.\d{1,3}\.\d{1,3}$/.test(word),
  );
  const kernel = one('kernel', 'A kernel of Alpine has a plain name, as in lts or virt.', 'lts', isName) ?? 'lts';
  const sha256 = keys.optional('netboot_sha256', threeHashes);
  const { errors } = keys;
  const words = [...names.map((name) => `${release}/${name}`), ...tagged.map((word) => word.replace(/^.*=/, ''))];
  const twice = words.find((path, index) => words.indexOf(path) !== index);
  if (errors.length === 0 && twice !== undefined) return [namedTwice(file, twice)];
  if (errors.length > 0 || source === undefined || release === undefined) return errors;
  return {
    source: source.replace(/\/+$/, ''),
    release,
    repositories: [
      ...names.map((name) => ({ path: `${release}/${name}` })),
      ...tagged.map((word) => {
        const [, tag = '', path = ''] = TAGGED.exec(word) ?? [];
        return { path, tag };
      }),
    ],
    architecture,
    mode: mode === 'superset' ? mode : 'exact',
    netboot: version === undefined ? undefined : { version, kernel, ...(sha256 !== undefined && { sha256 }) },
  };
}

const SOURCE_RULE = 'The source is the URL of a mirror of Alpine without user and password, or an absolute path here.';
const SOURCE_EXAMPLE = 'https://mirror.example.org/alpine';
const RELEASE_RULE = 'A release of Alpine is written v3.19, or edge.';
const TAGGED_RULE = 'A tagged repository is written TAG=RELEASE/NAME.';

function isSource(word: string): boolean {
  if (/^\/[^\0]{0,1000}$/.test(word)) return !word.split('/').includes('..');
  const url = URL.parse(word);
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:';
  return isWeb && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
}

function isRelease(word: string): boolean {
  return RELEASE.test(word);
}

function isName(word: string): boolean {
  return NAME.test(word);
}

function isMode(word: string): boolean {
  return word === 'exact' || word === 'superset';
}

function threeHashes(entry: ConfEntry): readonly string[] | MeshError {
  const rule = 'There are three SHA-256 in hex: of the kernel, the initramfs and the modloop.';
  const example = 'HEX" "HEX" "HEX';
  const words = someWords(entry, rule, example, (word) => /^[0-9a-f]{64}$/.test(word));
  return words instanceof MeshError || words.length === 3
    ? words
    : invalid(entry, 'has not three values', rule, example);
}

function oneWord(
  entry: ConfEntry,
  rule: string,
  example: string,
  isSound: (word: string) => boolean,
): string | MeshError {
  const words = someWords(entry, rule, example, isSound);
  if (words instanceof MeshError) return words;
  const [word] = words;
  return word !== undefined && words.length === 1 ? word : invalid(entry, 'has several values', rule, example);
}

function someWords(
  entry: ConfEntry,
  rule: string,
  example: string,
  isSound: (word: string) => boolean,
): readonly string[] | MeshError {
  const words = Array.from(
    entry.value.matchAll(/"([^"]*)"|(\S+)/g),
    ([, quotedWord, bare]) => quotedWord ?? bare ?? '',
  );
  if (words.length === 0) return invalid(entry, 'is empty', rule, example);
  const wrong = words.find((word) => !isSound(word));
  return wrong === undefined ? words : invalid(entry, `${quoted(wrong)} is not sound`, rule, example);
}

function namedTwice(file: string, path: string): MeshError {
  return new MeshError('MESH_MIRROR_CONF', `${file} names the repository ${path} twice`, {
    rule: 'A repository has one place in the mirror, with a tag or without.',
    remedy: 'Take one of both out of `repositories` and `tagged`.',
    object: file,
  });
}

function invalid({ key, valuePlace: place }: ConfEntry, fault: string, rule: string, example: string): MeshError {
  return new MeshError('MESH_MIRROR_CONF', `${key} ${fault}`, { rule, remedy: `Write ${key}="${example}"`, place });
}
