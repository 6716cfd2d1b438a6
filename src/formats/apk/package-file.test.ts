import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildPackage, signedBy, testSigner } from '../../../test/kit/alpine-repository.ts';
import { ApkFault } from './apk-fault.ts';
import { gzipMember } from './gzip-members.ts';
import { checkPackageData } from './package-data.ts';
import { checkAgainstRecord, readPackageControl } from './package-file.ts';
import { type PackageRecord, parsePackageIndex } from './package-index.ts';
import { trustedKey } from './signature.ts';
import { BLOCK_BYTES, headerOf, paddedBytes, paxRecord, readTar, tarOf } from './tar-blocks.ts';

const signer = testSigner();
const KEYS = new Map([[signer.name, trustedKey(signer.name, signer.pem)]]);
const built = buildPackage({ title: 'a-1.2-r0' }, signer);

async function* pieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}

/** The kind of the fault, or `sound`. */
async function check(bytes: Uint8Array, record: PackageRecord = recordOf(built.record)): Promise<string> {
  try {
    const control = readPackageControl(bytes, KEYS);
    checkAgainstRecord(control, record);
    await checkPackageData(pieces(bytes.subarray(control.dataAt)), control.dataHash);
    return 'sound';
  } catch (error) {
    if (error instanceof ApkFault) return error.kind;
    throw error;
  }
}

function recordOf(text: string): PackageRecord {
  const [record] = parsePackageIndex(text).records;
  if (record === undefined) throw new Error('no record');
  return record;
}

/** A package with this control text and these bytes as its files; and its record. */
function made(info: string, data: Uint8Array, by = signer): [Buffer, PackageRecord] {
  const control = gzipMember(tarOf([{ path: '.PKGINFO', content: Buffer.from(info), modifiedSec: 0 }], 'cut'));
  const checksum = `Q1${createHash('sha1').update(control).digest('base64')}`;
  const record = recordOf(built.record.replace(/^C:.*$/m, `C:${checksum}`));
  return [Buffer.concat([signedBy(control, [by]), data]), record];
}

const infoFor = (data: Uint8Array, more = '') =>
  `pkgname = a\npkgver = 1.2-r0\narch = x86_64\n${more}datahash = ${createHash('sha256').update(data).digest('hex')}\n`;

/** Files as a tar archive with a header of its own. */
function dataOf(path: string, type = '0', target = ''): Uint8Array {
  const archive = Buffer.from(tarOf([{ path: 'x', content: Buffer.alloc(0), modifiedSec: 0 }], 'whole'));
  archive.fill(0, 0, 100);
  archive.write(path, 0);
  archive.write(type, 156);
  archive.write(target, 157);
  archive.fill(' ', 148, 156);
  const sum = archive.subarray(0, BLOCK_BYTES).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return gzipMember(archive);
}

test('a whole package is sound', async () => {
  expect(await check(built.bytes)).toBe('sound');
});

describe('a package is refused', () => {
  test.each([
    [
      'with another control part',
      () => {
        const b = Buffer.from(built.bytes);
        const at = built.bytes.length - built.data.length - 12;
        b[at] = 255 - (b[at] ?? 0);
        return b;
      },
      /forged|damaged/,
    ],
    ['of a stranger', () => buildPackage({ title: 'a-1.2-r0' }, testSigner('stranger.rsa.pub')).bytes, /untrusted/],
    ['without a signature', () => Buffer.concat([built.control, built.data]), /untrusted|damaged/],
    ['with another package in its place', () => buildPackage({ title: 'b-1.2-r0' }, signer).bytes, /forged/],
    ['that is cut off', () => built.bytes.subarray(0, built.bytes.length - 5), /damaged|forged/],
    ['with a fourth member', () => Buffer.concat([built.bytes, built.data]), /forged/],
    ['that is empty', () => Buffer.alloc(0), /damaged/],
  ])('%s', async (_, make, kind) => {
    expect(await check(make())).toMatch(kind);
  });

  test('with a byte of its files changed, at each place', async () => {
    for (let at = built.bytes.length - built.data.length + 10; at < built.bytes.length; at += 3) {
      const changed = Buffer.from(built.bytes);
      changed[at] = 255 - (changed[at] ?? 0);
      expect(await check(changed), `byte ${at}`).toBe('forged');
    }
  });

  test('without the hash of its files', async () => {
    expect(await check(...made('pkgname = a\npkgver = 1.2-r0\narch = x86_64\n', built.data))).toBe('damaged');
  });

  test('when it is another one than the index says', async () => {
    const info = infoFor(built.data);
    expect(await check(...made(info, built.data))).toBe('sound');
    expect(await check(...made(info.replace('= a\n', '= b\n'), built.data))).toBe('forged');
    expect(await check(...made(info.replace('1.2-r0', '1.3-r0'), built.data))).toBe('forged');
    expect(await check(...made(info.replace('x86_64', 'aarch64'), built.data))).toBe('forged');
    expect(await check(...made(info.replace('x86_64', 'noarch'), built.data))).toBe('sound');
  });

  test('with a signed second part of the files', async () => {
    const data = Buffer.concat([built.data, gzipMember(tarOf([], 'whole'))]);
    expect(await check(...made(infoFor(data), data))).toBe('damaged');
  });

  test.each([
    ['../etc/passwd', '0', '', 'damaged'],
    ['usr/../../etc/passwd', '0', '', 'damaged'],
    ['/etc/passwd', '0', '', 'damaged'],
    ['./etc/passwd', '0', '', 'damaged'],
    ['etc/hard', '1', '../etc/shadow', 'damaged'],
    ['etc/hard', '1', '/etc/shadow', 'damaged'],
    ['etc/hard', '1', 'etc/other', 'sound'],
    // A symbolic link may lead anywhere: apk does not follow it.
    ['etc/soft', '2', '/usr/share/zoneinfo/UTC', 'sound'],
    ['etc/..data', '0', '', 'sound'],
  ])('with a path that leads elsewhere: %s, type %s to %s', async (path, type, target, kind) => {
    const data = dataOf(path, type, target);
    expect(await check(...made(infoFor(data), data))).toBe(kind);
  });

  test('when its files have no end', async () => {
    const data = gzipMember(tarOf([{ path: 'x', content: Buffer.from('x'), modifiedSec: 0 }], 'cut'));
    expect(await check(...made(infoFor(data), data))).toBe('damaged');
  });
});

test('another key of the same distribution may have signed it', () => {
  const second = testSigner('second-5678.rsa.pub');
  const { bytes } = buildPackage({ title: 'a-1.2-r0' }, second);
  const both = new Map([...KEYS, [second.name, trustedKey(second.name, second.pem)]]);
  expect(readPackageControl(bytes, both).signedBy).toBe(second.name);
});

test('records of PAX before .PKGINFO belong to it, and are no file of their own', async () => {
  const info = Buffer.from(infoFor(built.data));
  const note = paxRecord('mtime', '1700000000.5');
  const padded = (content: Uint8Array) =>
    Buffer.concat([content, Buffer.alloc(paddedBytes(content.length) - content.length)]);
  const header = (path: string, type: string, bytes: number) =>
    headerOf({ path, type, bytes, permissions: 0o644, modifiedSec: 0 });
  const archive = Buffer.concat([
    header('PaxHeader', 'x', note.length),
    padded(note),
    header('.PKGINFO', '0', info.length),
    padded(info),
  ]);
  const control = gzipMember(archive);
  const checksum = `Q1${createHash('sha1').update(control).digest('base64')}`;
  const record = recordOf(built.record.replace(/^C:.*$/m, `C:${checksum}`));
  expect(await check(Buffer.concat([signedBy(control, [signer]), built.data]), record)).toBe('sound');
});

test('the size in the index is a hint', async () => {
  expect(await check(built.bytes, recordOf(built.record.replace(/^S:.*$/m, 'S:1')))).toBe('sound');
});

test('a size beyond 8 GiB is read from octal, from binary and from a pax record', () => {
  const archive = Buffer.from(tarOf([{ path: 'x', content: Buffer.alloc(0), modifiedSec: 0 }], 'whole'));
  archive.fill(0, 124, 136);
  archive[124] = 0x80;
  archive.writeBigUInt64BE(9n * 1024n ** 3n, 128);
  archive.fill(' ', 148, 156);
  const sum = archive.subarray(0, BLOCK_BYTES).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  // The archive in memory does not have that much.
  expect(() => readTar(archive, 'whole')).toThrow('ends in the middle of a file');
});

test('a genuine package of Alpine has the form that is read here', async () => {
  const bytes = readFileSync(new URL('../../../test/kit/alpine-base-3.19.1-r0.apk', import.meta.url));
  const name = 'alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub';
  expect(() => readPackageControl(bytes, KEYS)).toThrow(name);
  // The last of the three members, behind the other two.
  const data = bytes.subarray(666 + 579);
  await checkPackageData(pieces(data, 7), createHash('sha256').update(data).digest('hex'));
});
