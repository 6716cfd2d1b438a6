/** Records of packages for tests, made from short words. */
import { createHash } from 'node:crypto';
import { type PackageRecord, parsePackageIndex } from '../../src/formats/apk/package-index.ts';

/** What differs from a package without dependencies. */
export interface PackageWords {
  readonly depends?: string;
  readonly provides?: string;
  readonly installIf?: string;
  readonly priority?: number;
  readonly architecture?: string;
}

/** A record `name-version`, such as `a-1`. @param salt another one gives another checksum */
export function packageRecord(title: string, words: PackageWords = {}, salt = ''): PackageRecord {
  const [, name = '', version = ''] = /^(.+?)-(\d.*)$/.exec(title) ?? [];
  const checksum = `Q1${createHash('sha1').update(`${title} ${salt}`).digest('base64')}`;
  const lines = [
    `C:${checksum}`,
    `P:${name}`,
    `V:${version}`,
    `A:${words.architecture ?? 'x86_64'}`,
    'S:1000',
    'I:4096',
    'T:a package',
  ];
  if (words.priority !== undefined) lines.push(`k:${words.priority}`);
  if (words.depends !== undefined) lines.push(`D:${words.depends}`);
  if (words.provides !== undefined) lines.push(`p:${words.provides}`);
  if (words.installIf !== undefined) lines.push(`i:${words.installIf}`);
  const { records, faults } = parsePackageIndex(`${lines.join('\n')}\n\n`);
  const [record] = records;
  if (record === undefined) throw new Error(`no record: ${faults.join(' ')}`);
  return record;
}
