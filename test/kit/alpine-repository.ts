/** A small repository of Alpine packages on disk, made and signed by the test. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipMember } from '../../src/formats/apk/gzip-members.ts';
import { tarOf } from '../../src/formats/apk/tar-blocks.ts';

/** Who signs: the private half and the name of the public one's file. */
export interface TestSigner {
  readonly name: string;
  readonly key: KeyObject;
  readonly pem: string;
}

const HASHES = { RSA: 'sha1', RSA256: 'sha256', RSA512: 'sha512' } as const;
export type SignatureType = keyof typeof HASHES;

/** @param bits of the key */
export function testSigner(name = 'test-1234.rsa.pub', bits = 2048): TestSigner {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  return { name, key: privateKey, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

/** A signature's entry for the compressed bytes. */
export function signatureEntry(signed: Uint8Array, signer: TestSigner, type: SignatureType = 'RSA') {
  return { path: `.SIGN.${type}.${signer.name}`, content: sign(HASHES[type], signed, signer.key), modifiedSec: 0 };
}

/** A member with signatures of the bytes behind it. */
export function signedBy(signed: Uint8Array, ...signers: readonly (readonly [TestSigner, SignatureType?])[]): Buffer {
  const entries = signers.map(([signer, type]) => signatureEntry(signed, signer, type));
  return Buffer.concat([gzipMember(tarOf(entries, 'cut')), signed]);
}

/** What a package has; all but the title may be left out. */
export interface TestPackage {
  /** `name-version`. */
  readonly title: string;
  readonly depends?: string;
  readonly provides?: string;
  readonly installIf?: string;
  readonly priority?: number;
  /** In .PKGINFO and in the index. */
  readonly architecture?: string;
  readonly indexArchitecture?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** The bytes of a package, and its record in an index. */
export interface BuiltPackage {
  readonly file: string;
  readonly bytes: Buffer;
  readonly checksum: string;
  readonly record: string;
  readonly control: Uint8Array;
  readonly data: Uint8Array;
}

export function buildPackage(one: TestPackage, signer: TestSigner): BuiltPackage {
  const [, name = '', version = ''] = /^(.+?)-(\d.*)$/.exec(one.title) ?? [];
  const files = Object.entries({ [`usr/share/${name}`]: one.title, ...one.files });
  const data = gzipMember(
    tarOf(
      files.map(([path, content]) => ({ path, content: Buffer.from(content), modifiedSec: 0 })),
      'whole',
    ),
  );
  const architecture = one.architecture ?? 'x86_64';
  const info = [
    `# made by a test`,
    `pkgname = ${name}`,
    `pkgver = ${version}`,
    `arch = ${architecture}`,
    'size = 4096',
    `datahash = ${createHash('sha256').update(data).digest('hex')}`,
  ];
  const control = gzipMember(
    tarOf([{ path: '.PKGINFO', content: Buffer.from(`${info.join('\n')}\n`), modifiedSec: 0 }], 'cut'),
  );
  const bytes = Buffer.concat([signedBy(control, [signer]), data]);
  const checksum = `Q1${createHash('sha1').update(control).digest('base64')}`;
  const lines = [
    `C:${checksum}`,
    `P:${name}`,
    `V:${version}`,
    `A:${one.indexArchitecture ?? architecture}`,
    `S:${bytes.length}`,
    'I:4096',
    `T:the package ${name}`,
  ];
  if (one.priority !== undefined) lines.push(`k:${one.priority}`);
  if (one.depends !== undefined) lines.push(`D:${one.depends}`);
  if (one.provides !== undefined) lines.push(`p:${one.provides}`);
  if (one.installIf !== undefined) lines.push(`i:${one.installIf}`);
  return { file: `${one.title}.apk`, bytes, checksum, record: `${lines.join('\n')}\n\n`, control, data };
}

/** The signed bytes of an index. @param madeSec its date */
export function buildIndex(
  records: string,
  signer: TestSigner,
  madeSec = 1_700_000_000,
  type: SignatureType = 'RSA',
): Buffer {
  return signedBy(indexContent(records, madeSec), [signer, type]);
}

/** The member of an index that is signed. */
export function indexContent(records: string, madeSec = 1_700_000_000, description = 'test'): Uint8Array {
  const files = [
    { path: 'DESCRIPTION', content: Buffer.from(description), modifiedSec: madeSec },
    { path: 'APKINDEX', content: Buffer.from(records), modifiedSec: madeSec },
  ];
  return gzipMember(tarOf(files, 'whole'));
}

/** Writes a repository with these packages to `directory/path/x86_64`, over what was there. */
export function writeRepository(
  directory: string,
  path: string,
  packages: readonly TestPackage[],
  signer: TestSigner,
  madeSec = 1_700_000_000,
): readonly BuiltPackage[] {
  const built = packages.map((one) => buildPackage(one, signer));
  const place = join(directory, path, 'x86_64');
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  for (const { file, bytes } of built) writeFileSync(join(place, file), bytes);
  writeFileSync(
    join(place, 'APKINDEX.tar.gz'),
    buildIndex(built.map(({ record }) => record).join(''), signer, madeSec),
  );
  return built;
}
