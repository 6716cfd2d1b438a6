/**
 * The third member of a package: a tar archive of its files, as abuild makes it (apk-tools, apk-package(5)). apk unpacks nothing
 * below a directory that has no entry of its own before, and takes no file without the SHA-1 of its content in a PAX record.
 */
import { createHash } from 'node:crypto';
import { BLOCK_BYTES, headerOf, paddedBytes, paxRecord, TAR_END } from './tar-blocks.ts';

/** A file or a link of a package; `path` has no slash at its begin. Directories come by themselves. */
export type PackagedFile =
  | { readonly type: 'file'; readonly path: string; readonly content: Uint8Array; readonly permissions: number }
  | { readonly type: 'link'; readonly path: string; readonly to: string };

const DIRECTORY = 0o755;
const LINK = 0o777;
const NAME_MAX = 100;

/** The archive. The bytes depend on the arguments alone. @param modifiedSec the time of all entries */
export function packageDataArchive(files: readonly PackagedFile[], modifiedSec: number): Uint8Array {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const directories = new Set<string>();
  const parts: Uint8Array[] = [];
  for (const file of sorted) {
    for (const directory of parentsOf(file.path)) {
      if (directories.has(directory)) continue;
      directories.add(directory);
      const entry = { path: `${directory}/`, type: '5', bytes: 0, permissions: DIRECTORY, modifiedSec };
      parts.push(...notesOf(`${directory}/`, undefined, [], modifiedSec), headerOf(entry));
    }
    parts.push(...entryOf(file, modifiedSec));
  }
  parts.push(TAR_END);
  return Buffer.concat(parts);
}

function entryOf(file: PackagedFile, modifiedSec: number): readonly Uint8Array[] {
  const { path } = file;
  if (file.type === 'link') {
    const entry = { path, type: '2', to: file.to, bytes: 0, permissions: LINK, modifiedSec };
    return [...notesOf(path, file.to, [checksumRecord(Buffer.from(file.to))], modifiedSec), headerOf(entry)];
  }
  const { content, permissions } = file;
  const padding = Buffer.alloc(paddedBytes(content.length) - content.length);
  const entry = { path, type: '0', bytes: content.length, permissions, modifiedSec };
  return [...notesOf(path, undefined, [checksumRecord(content)], modifiedSec), headerOf(entry), content, padding];
}

/** The PAX records before an entry, which also have what is too long for its header. */
function notesOf(
  path: string,
  to: string | undefined,
  records: readonly Buffer[],
  modifiedSec: number,
): readonly Uint8Array[] {
  const isLong = (text: string) => Buffer.byteLength(text) > NAME_MAX;
  const all = [
    ...(isLong(path) ? [paxRecord('path', path)] : []),
    ...(to !== undefined && isLong(to) ? [paxRecord('linkpath', to)] : []),
    ...records,
  ];
  if (all.length === 0) return [];
  const content = Buffer.concat(all);
  const header = headerOf({ path: 'PaxHeader', type: 'x', bytes: content.length, permissions: 0o644, modifiedSec });
  return [header, content, Buffer.alloc(paddedBytes(content.length) - content.length)];
}

function checksumRecord(content: Uint8Array): Buffer {
  return paxRecord('APK-TOOLS.checksum.SHA1', createHash('sha1').update(content).digest('hex'));
}

function parentsOf(path: string): string[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

/** The bytes that the files take on a disk, as apk counts them: whole blocks. */
export function unpackedBytes(files: readonly PackagedFile[]): number {
  return files.reduce((sum, file) => sum + (file.type === 'file' ? paddedBytes(file.content.length) : 0), BLOCK_BYTES);
}
