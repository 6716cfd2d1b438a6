/**
 * APKINDEX.tar.gz: a gzip member with signatures, and one with the files DESCRIPTION and APKINDEX, which is what is signed.
 */
import { ApkFault } from './apk-fault.ts';
import { gzipMember, readGzipMember } from './gzip-members.ts';
import { type PackageIndex, type PackageRecord, packageIndexText, parsePackageIndex } from './package-index.ts';
import { checkSignature, type SigningKey, signatureMember, type TrustedKeys } from './signature.ts';
import { readTar, tarOf } from './tar-blocks.ts';

/** An index whose signature was checked. */
export interface VerifiedIndex extends PackageIndex {
  readonly description: string;
  /** When it was made, as what is signed says; in seconds since 1970. A later index of the same repository has a later date. */
  readonly madeSec: number;
  /** The name of the key that has signed it. */
  readonly signedBy: string;
}

/** More than five times the largest index of Alpine. */
export const INDEX_BYTES_MAX = 32 * 1024 * 1024;
const CONTENT_MAX = 192 * 1024 * 1024;
const SIGNATURES_MAX = 256 * 1024;
const DESCRIPTION_MAX = 200;

/** @throws ApkFault */
export function readIndexArchive(bytes: Uint8Array, keys: TrustedKeys): VerifiedIndex {
  if (bytes.length > INDEX_BYTES_MAX) throw new ApkFault('too large', `it has more than ${INDEX_BYTES_MAX} bytes`);
  const signatures = readGzipMember(bytes, SIGNATURES_MAX);
  const rest = bytes.subarray(signatures.compressed.length);
  if (rest.length === 0) throw new ApkFault('untrusted', 'it has no signature');
  // Nothing is unpacked that is not signed: all of the rest must be one member.
  const signedBy = checkSignature(signatures.content, rest, keys);
  const { compressed, content } = readGzipMember(rest, CONTENT_MAX);
  if (compressed.length !== rest.length) throw new ApkFault('damaged', 'there is something behind its end');
  const entries = readTar(content, 'whole');
  const index = entries.find(({ path }) => path === 'APKINDEX');
  if (index === undefined) throw new ApkFault('damaged', 'there is no APKINDEX in it');
  const description = entries.find(({ path }) => path === 'DESCRIPTION')?.content ?? Buffer.alloc(0);
  const parsed = parsePackageIndex(Buffer.from(index.content).toString('utf8'));
  const builtSec = parsed.records.reduce((latest, { builtSec }) => Math.max(latest, builtSec), 0);
  return {
    ...parsed,
    description: Buffer.from(description).toString('utf8').trim().slice(0, DESCRIPTION_MAX),
    madeSec: Math.max(index.modifiedSec, builtSec),
    signedBy,
  };
}

/** The text of an index of our own, without a look at its signature. @throws ApkFault */
export function indexTextOf(bytes: Uint8Array): string {
  const signatures = readGzipMember(bytes, SIGNATURES_MAX);
  const { content } = readGzipMember(bytes.subarray(signatures.compressed.length), CONTENT_MAX);
  const index = readTar(content, 'whole').find(({ path }) => path === 'APKINDEX');
  if (index === undefined) throw new ApkFault('damaged', 'there is no APKINDEX in it');
  return Buffer.from(index.content).toString('utf8');
}

/** An index with these records, signed. The bytes depend on the arguments alone. */
export function indexArchive(
  records: readonly PackageRecord[],
  { description, madeSec, key }: { readonly description: string; readonly madeSec: number; readonly key: SigningKey },
): Uint8Array {
  const files = [
    { path: 'DESCRIPTION', content: Buffer.from(description), modifiedSec: madeSec },
    { path: 'APKINDEX', content: Buffer.from(packageIndexText(records)), modifiedSec: madeSec },
  ];
  const signed = gzipMember(tarOf(files, 'whole'));
  return Buffer.concat([signatureMember(signed, key), signed]);
}
