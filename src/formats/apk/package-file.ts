/**
 * A package file, NAME-VERSION.apk: three gzip members. The first has signatures of the second; the second has `.PKGINFO`, which
 * names the hash of the third, and the scripts; the third has the files. So the index names a package by the hash of its second
 * member alone (apk-tools, apk-package(5)).
 */
import { createHash } from 'node:crypto';
import { ApkFault } from './apk-fault.ts';
import { readGzipMember } from './gzip-members.ts';
import type { PackageRecord } from './package-index.ts';
import { checkSignature, type TrustedKeys } from './signature.ts';
import { readTar } from './tar-blocks.ts';

/** The part of a package before its files. */
export interface PackageControl {
  readonly checksum: string;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** SHA-256 of the third member, in hex. */
  readonly dataHash: string;
  readonly signedBy: string;
  /** Where the third member begins in the file. */
  readonly dataAt: number;
}

/** Signatures and control data are at the begin of a file; no package has more of them than this. */
export const CONTROL_BYTES_MAX = 4 * 1024 * 1024;
const CONTENT_MAX = 16 * 1024 * 1024;
const SIGNATURES_MAX = 256 * 1024;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Reads what stands before the files of a package.
 * @param begin the first CONTROL_BYTES_MAX bytes of the file, or all of a shorter one
 * @throws ApkFault
 */
export function readPackageControl(begin: Uint8Array, keys: TrustedKeys): PackageControl {
  const signatures = readGzipMember(begin, SIGNATURES_MAX);
  const control = readGzipMember(begin.subarray(signatures.compressed.length), CONTENT_MAX);
  const signedBy = checkSignature(signatures.content, control.compressed, keys);
  const checksum = `Q1${createHash('sha1').update(control.compressed).digest('base64')}`;
  const info = readTar(control.content, 'cut').find(({ path }) => path === '.PKGINFO')?.content;
  if (info === undefined) throw new ApkFault('damaged', 'there is no .PKGINFO in it');
  const values = valuesOf(Buffer.from(info).toString('utf8'));
  const dataHash = values.get('datahash') ?? '';
  if (!SHA256.test(dataHash)) throw new ApkFault('damaged', 'it does not name the hash of its files');
  return {
    checksum,
    name: values.get('pkgname') ?? '',
    version: values.get('pkgver') ?? '',
    architecture: values.get('arch') ?? '',
    dataHash,
    signedBy,
    dataAt: signatures.compressed.length + control.compressed.length,
  };
}

/** Lines `key = value`; a line that begins with `#` is a comment. Of a repeated key the last value counts. */
function valuesOf(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return new Map(
    lines.flatMap((line) => {
      const [, key, value] = /^(\w+) = (.*)$/.exec(line) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value] as const];
    }),
  );
}

/**
 * Checks that a package is the one of a record: apk itself compares the checksum alone.
 * @throws ApkFault `forged`
 */
export function checkAgainstRecord(control: PackageControl, record: PackageRecord): void {
  if (control.checksum !== record.checksum) {
    throw new ApkFault('forged', `it has the checksum ${control.checksum}, and the index names ${record.checksum}`);
  }
  if (control.name !== record.name || control.version !== record.version) {
    const named = `${control.name} ${control.version}`.slice(0, 100);
    throw new ApkFault('forged', `it calls itself ${named}, and the index ${record.name} ${record.version}`);
  }
  if (control.architecture !== record.architecture && control.architecture !== 'noarch') {
    throw new ApkFault(
      'forged',
      `it is for ${control.architecture.slice(0, 40)}, and the index for ${record.architecture}`,
    );
  }
}
