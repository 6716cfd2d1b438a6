import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { buildIndex, indexContent, signatureEntry, signedBy, testSigner } from '../../../test/kit/alpine-repository.ts';
import { packageRecord } from '../../../test/kit/package-records.ts';
import { ApkFault } from './apk-fault.ts';
import { gzipMember, readGzipMember } from './gzip-members.ts';
import { indexArchive, readIndexArchive } from './index-archive.ts';
import { packageIndexText, parsePackageIndex, withArchitecture } from './package-index.ts';
import { trustedKey } from './signature.ts';
import { tarOf } from './tar-blocks.ts';

const signer = testSigner();
const other = testSigner('other-1.rsa.pub');
const KEYS = new Map([[signer.name, trustedKey(signer.name, signer.pem)]]);
const TEXT = `${packageRecord('a-1').text}\n\n${packageRecord('b-2').text}\n\n`;

/** The kind and the words of the fault, or the names that the index has. */
function read(bytes: Uint8Array): string {
  try {
    return readIndexArchive(bytes, KEYS)
      .records.map(({ name }) => name)
      .join(' ');
  } catch (error) {
    if (error instanceof ApkFault) return `${error.kind}: ${error.message}`;
    throw error;
  }
}

/** An index whose signature is a member made of `entries`. */
const withSignatures = (form: 'cut' | 'whole', ...entries: ReturnType<typeof signatureEntry>[]) =>
  Buffer.concat([gzipMember(tarOf(entries, form)), indexContent(TEXT)]);

describe('signatures', () => {
  test.each(['RSA', 'RSA256', 'RSA512'] as const)('%s is taken', (type) => {
    expect(read(buildIndex(TEXT, signer, 1, type))).toBe('a b');
  });

  test.each([
    ['none', () => indexContent(TEXT), /^damaged|^untrusted/],
    ['an unknown key', () => buildIndex(TEXT, other), /^untrusted: .*other-1\.rsa\.pub/],
    ['the right key under a wrong name', () => buildIndex(TEXT, { ...signer, name: 'wrong.rsa.pub' }), /^untrusted/],
    ['a wrong key under the right name', () => buildIndex(TEXT, { ...other, name: signer.name }), /^forged/],
    [
      'an end where the index should follow',
      () => withSignatures('whole', signatureEntry(indexContent(TEXT), signer)),
      /^damaged/,
    ],
    ['of another index', () => withSignatures('cut', signatureEntry(indexContent('other'), signer)), /^forged/],
    [
      'of an unknown kind',
      () => withSignatures('cut', { ...signatureEntry(indexContent(TEXT), signer), path: `.SIGN.DSA.${signer.name}` }),
      /^untrusted/,
    ],
  ])('%s is refused', (_, make, fault) => {
    expect(read(make())).toMatch(fault);
  });

  test('one of several is enough, in any order', () => {
    const content = indexContent(TEXT);
    expect(read(signedBy(content, [other], [signer]))).toBe('a b');
    expect(read(signedBy(content, [signer], [other]))).toBe('a b');
    expect(read(signedBy(content, [{ ...other, name: signer.name }], [signer, 'RSA256']))).toBe('a b');
  });

  test('a key of 1,024 bits, one that is not RSA and a private one are no keys', () => {
    expect(() => trustedKey('a', testSigner('a', 1024).pem)).toThrow('has 1024 bits');
    expect(() => trustedKey('a', 'nonsense')).toThrow('no public key');
    expect(() => trustedKey('../a', signer.pem)).toThrow('name');
    expect(() => trustedKey('a', signer.key.export({ type: 'pkcs8', format: 'pem' }).toString())).toThrow('private');
  });
});

describe('the archive', () => {
  const good = buildIndex(TEXT, signer);
  const signed = (files: readonly { path: string; content: string }[], form: 'cut' | 'whole' = 'whole') => {
    const entries = files.map(({ path, content }) => ({ path, content: Buffer.from(content), modifiedSec: 5 }));
    return signedBy(gzipMember(tarOf(entries, form)), [signer]);
  };

  test('each byte that changes is noticed', () => {
    for (let at = 0; at < good.length; at += 7) {
      const changed = Buffer.from(good);
      changed[at] = 255 - (changed[at] ?? 0);
      // The time and the operating system in the header of the first member mean nothing.
      if (at < 10) continue;
      expect(read(changed), `byte ${at}`).toMatch(/^(?:damaged|forged|untrusted|too large)/);
    }
  });

  test('each length that is too short is noticed', () => {
    for (let length = 0; length < good.length; length += 11) {
      expect(read(good.subarray(0, length)), `${length} bytes`).toMatch(/^(?:damaged|forged|untrusted)/);
    }
  });

  test.each([
    ['something behind the end', Buffer.concat([good, Buffer.from('x')]), /^forged/],
    ['zeros behind the end', Buffer.concat([good, Buffer.alloc(512)]), /^forged/],
    ['no APKINDEX', signed([{ path: 'DESCRIPTION', content: 'x' }]), /^damaged: there is no APKINDEX/],
    ['./APKINDEX', signed([{ path: './APKINDEX', content: TEXT }]), /^damaged: there is no APKINDEX/],
    [
      'carriage returns',
      signed([{ path: 'APKINDEX', content: TEXT.replaceAll('\n', '\r\n') }]),
      /^damaged: .*carriage/,
    ],
    [
      'content in two members',
      signedBy(Buffer.concat([gzipMember(tarOf([], 'cut')), indexContent(TEXT)]), [signer]),
      /^damaged/,
    ],
  ])('%s is refused', (_, bytes, fault) => {
    expect(read(bytes)).toMatch(fault);
  });

  test.each([
    ['no DESCRIPTION', signed([{ path: 'APKINDEX', content: TEXT }])],
    ['a long DESCRIPTION', signedBy(indexContent(TEXT, 1, 'x'.repeat(5000)), [signer])],
    ['no empty line at the end', signed([{ path: 'APKINDEX', content: TEXT.trimEnd() }])],
  ])('%s is taken', (_, bytes) => {
    expect(read(bytes)).toBe('a b');
  });

  test('gzip headers may have a name, extra data, a comment and a checksum', () => {
    const plain = gzipSync(Buffer.from('content'));
    const head = Buffer.from(plain.subarray(0, 10));
    head[3] = 0x04 | 0x08 | 0x10 | 0x02;
    const more = Buffer.concat([Buffer.from([3, 0, 1, 2, 3]), Buffer.from('name\0comment\0'), Buffer.from([0, 0])]);
    const bytes = Buffer.concat([head, more, plain.subarray(10), Buffer.from('behind')]);
    const { compressed, content } = readGzipMember(bytes, 100);
    expect(Buffer.from(content).toString()).toBe('content');
    expect(compressed.length).toBe(bytes.length - 'behind'.length);
  });

  test('what unpacks to too much is not unpacked', () => {
    expect(() => readGzipMember(gzipSync(Buffer.alloc(50_000_000)), 1_000_000)).toThrow('unpacks to more');
  });

  test('the date is the one that is signed', () => {
    expect(readIndexArchive(buildIndex(TEXT, signer, 1234), KEYS).madeSec).toBe(1234);
    const built = `${packageRecord('a-1').text}\nt:99999\n\n`;
    expect(readIndexArchive(buildIndex(built, signer, 1234), KEYS).madeSec).toBe(99_999);
  });
});

describe('records', () => {
  const faultsOf = (text: string) => parsePackageIndex(text).faults.join(' ');
  const { text } = packageRecord('a-1');

  test.each([
    ['an unknown letter that has to be known', `${text}\nX:1`, /field X/],
    ['no checksum', text.replace(/^C:.*\n/m, ''), /no checksum/],
    ['a checksum of another kind', text.replace('C:Q1', 'C:Q2'), /no checksum/],
    ['no size when it is installed', text.replace('I:4096', 'I:0'), /unpack nothing/],
    ['no name', text.replace('P:a', 'P:'), /no sound name/],
    ['a name that leads elsewhere', text.replace('P:a', 'P:../../etc'), /no sound name/],
    ['a version that leads elsewhere', text.replace('V:1', 'V:1/../../x'), /no sound name/],
    ['no architecture', text.replace('A:x86_64', 'A:'), /architecture/],
    ['a line that is no field', `${text}\nnonsense`, /no field/],
  ])('one with %s is left out, and the others stay', (_, broken, fault) => {
    const { records, faults } = parsePackageIndex(`${broken}\n\n${packageRecord('b-2').text}\n\n`);
    expect(records.map(({ name }) => name)).toEqual(['b']);
    expect(faults.join(' ')).toMatch(fault);
  });

  test('unknown small letters, empty values and other alphabets stay as they are', () => {
    const strange = `${text}\nm:Jürgen Žluťoučký <j@example.org>\nz:new\nD:\n\n`;
    expect(faultsOf(strange)).toBe('');
    expect(packageIndexText(parsePackageIndex(strange).records)).toBe(strange);
  });

  test('the architecture is rewritten, and nothing else', () => {
    const record = packageRecord('a-1', { architecture: 'noarch', provides: 'A:noarch=1' });
    const changed = withArchitecture(record, 'x86_64');
    expect(changed.text).toBe(record.text.replace('A:noarch\n', 'A:x86_64\n'));
    expect(withArchitecture(changed, 'x86_64')).toBe(changed);
  });
});

test('an index that is written is what other programs read', () => {
  const directory = mkdtempSync(join(tmpdir(), 'index-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const records = parsePackageIndex(TEXT).records;
  const bytes = indexArchive(records, { description: 'ours', madeSec: 1_700_000_000, key: signer });
  expect(indexArchive(records, { description: 'ours', madeSec: 1_700_000_000, key: signer })).toEqual(bytes);
  expect(read(bytes)).toBe('a b');
  writeFileSync(join(directory, 'x.tar.gz'), bytes);
  execFileSync('tar', ['--extract', '--gzip', '--file', 'x.tar.gz'], { cwd: directory });
  expect(readFileSync(join(directory, 'APKINDEX'), 'utf8')).toBe(TEXT);
  const listed = execFileSync('tar', ['--list', '--verbose', '--numeric-owner', '--gzip', '--file', 'x.tar.gz'], {
    cwd: directory,
    encoding: 'utf8',
  });
  expect(listed.match(/^-rw-r--r-- 0\/0 .*$/gm)).toHaveLength(4);
});
