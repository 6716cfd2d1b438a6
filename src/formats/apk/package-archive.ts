/**
 * Writes a package: the member with signatures, the member with `.PKGINFO` and scripts, and the member with the files; and the
 * record for an index, which names the package by the SHA-1 of the second member (abuild; apk-tools, apk-package(5)).
 */
import { createHash } from 'node:crypto';
import { gzipMember } from './gzip-members.ts';
import { type PackagedFile, packageDataArchive, unpackedBytes } from './package-data-archive.ts';
import { type PackageRecord, parsePackageIndex } from './package-index.ts';
import { type SigningKey, signatureMember } from './signature.ts';
import { tarOf } from './tar-blocks.ts';

/** The scripts that apk runs, in the order in which abuild writes them. */
export const PACKAGE_SCRIPTS = [
  'pre-install',
  'post-install',
  'pre-upgrade',
  'post-upgrade',
  'pre-deinstall',
  'post-deinstall',
] as const;
/** A moment at which apk runs a script of a package. */
export type PackageScript = (typeof PACKAGE_SCRIPTS)[number];

/** What a package says about itself. */
export interface PackageDescription {
  readonly name: string;
  /** A version of apk's, with `-rNUMBER`. */
  readonly version: string;
  readonly description: string;
  readonly url?: string;
  readonly license: string;
  /** `noarch` for a package without programs of one processor. */
  readonly architecture: string;
  /** Words of dependencies. */
  readonly depends: readonly string[];
  readonly provides: readonly string[];
  /** Seconds since 1970. */
  readonly builtSec: number;
}

/** A package that is to be written. */
export interface PackageParts {
  readonly description: PackageDescription;
  readonly files: readonly PackagedFile[];
  readonly scripts: Readonly<Partial<Record<PackageScript, Uint8Array>>>;
  /** Without a key, apk installs the package only from an index that is trusted. */
  readonly key?: SigningKey;
}

/** The file of a package, and its record. */
export interface WrittenPackage {
  readonly bytes: Uint8Array;
  readonly record: PackageRecord;
}

/** Writes a package. The bytes depend on the arguments alone. @throws RangeError for a description that no index can have */
export function packageArchive({ description, files, scripts, key }: PackageParts): WrittenPackage {
  const { builtSec } = description;
  const data = gzipMember(packageDataArchive(files, builtSec));
  const size = unpackedBytes(files);
  const entries = [
    { path: '.PKGINFO', content: Buffer.from(packageInfo(description, size, data)), modifiedSec: builtSec },
    ...PACKAGE_SCRIPTS.flatMap((script) => {
      const content = scripts[script];
      return content === undefined ? [] : { path: `.${script}`, content, modifiedSec: builtSec, permissions: 0o755 };
    }),
  ];
  const control = gzipMember(tarOf(entries, 'cut'));
  const signatures = key === undefined ? [] : [signatureMember(control, key)];
  const bytes = Buffer.concat([...signatures, control, data]);
  const checksum = `Q1${createHash('sha1').update(control).digest('base64')}`;
  const { records, faults } = parsePackageIndex(recordText(description, { checksum, bytes: bytes.length, size }));
  const [record] = records;
  if (record === undefined) throw new RangeError(faults.join(' '));
  return { bytes, record };
}

function packageInfo(description: PackageDescription, size: number, data: Uint8Array): string {
  const { name, version, description: text, url, license, architecture, depends, provides, builtSec } = description;
  return [
    `# Made by ${name}`,
    `pkgname = ${name}`,
    `pkgver = ${version}`,
    `pkgdesc = ${text}`,
    ...(url === undefined ? [] : [`url = ${url}`]),
    `builddate = ${builtSec}`,
    `size = ${size}`,
    `arch = ${architecture}`,
    `origin = ${name}`,
    `license = ${license}`,
    ...depends.map((word) => `depend = ${word}`),
    ...provides.map((word) => `provides = ${word}`),
    `datahash = ${createHash('sha256').update(data).digest('hex')}`,
    '',
  ].join('\n');
}

/** In the order of letters that Alpine's own indexes have. */
function recordText(
  description: PackageDescription,
  { checksum, bytes, size }: { readonly checksum: string; readonly bytes: number; readonly size: number },
): string {
  const { name, version, description: text, url, license, architecture, depends, provides, builtSec } = description;
  return [
    `C:${checksum}`,
    `P:${name}`,
    `V:${version}`,
    `A:${architecture}`,
    `S:${bytes}`,
    `I:${size}`,
    `T:${text}`,
    ...(url === undefined ? [] : [`U:${url}`]),
    `L:${license}`,
    `o:${name}`,
    `t:${builtSec}`,
    ...(depends.length > 0 ? [`D:${depends.join(' ')}`] : []),
    ...(provides.length > 0 ? [`p:${provides.join(' ')}`] : []),
    '',
    '',
  ].join('\n');
}
