/**
 * What an overlay is on disk: a directory whose files the guest gets, a tar archive, or a directory with an executable `tar`, which
 * prints an archive when it is called with the argument `-`.
 */
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { RootTree } from '../../image/node/root-tree.ts';
import { MeshError } from '../../model/error.ts';
import { shippedFile } from '../shipped-files.ts';
import { type ScriptLimits, scriptOutput } from './script-output.ts';

/** The overlay of programs that comes with the guest. */
export const TOOLS = 'tools';

/** A found overlay. */
export interface OverlaySource {
  readonly name: string;
  readonly path: string;
  readonly kind: 'directory' | 'tar' | 'script' | 'programs';
  readonly shipped: boolean;
}

/** What a guest could hold in its memory. */
const ARCHIVE_MAX_BYTES = 512 * 1024 * 1024;
/** A script may have to unpack much. */
const LIMITS: ScriptLimits = { withinMs: 120_000, maxBytes: ARCHIVE_MAX_BYTES };
/** A directory of an overlay has its tree here, beside its README; or it is the tree itself. */
const TREE = 'default';
const ABOUT = new Set(['README', 'README.md', 'tar']);

/** The directories in which overlays are looked for by name, the shipped ones last. */
function overlayDirectories(): string[] {
  const own = (process.env.XCLUSTER_OVLPATH ?? '').split(':').filter((directory) => directory !== '');
  return [...own, shippedFile('overlays')];
}

/** All overlays that have a name here. */
export function listOverlays(): OverlaySource[] {
  const found = new Map<string, OverlaySource>([[TOOLS, programs()]]);
  for (const directory of overlayDirectories()) {
    if (!existsSync(directory)) continue;
    for (const name of readdirSync(directory).sort()) {
      if (!found.has(name) && statSync(join(directory, name)).isDirectory())
        found.set(name, sourceAt(name, join(directory, name)));
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * An overlay by its name, or by its path, which has a slash in it.
 * @param base the directory that paths are relative to
 * @throws MESH_LAB_OVERLAY
 */
export function findOverlay(word: string, base: string): OverlaySource {
  if (word.includes('/')) {
    const path = resolve(base, word);
    if (existsSync(path)) return sourceAt(basename(path), path);
    throw unknown(word, `there is no ${path}`);
  }
  const found = listOverlays().find(({ name }) => name === word);
  if (found !== undefined) return found;
  throw unknown(word, `there is no overlay ${word}`);
}

function unknown(word: string, message: string): MeshError {
  return new MeshError('MESH_LAB_OVERLAY', message, {
    object: word,
    rule: 'An overlay is named by its path, or by its name in a directory of XCLUSTER_OVLPATH or among those that come with labs.',
    remedy: `See \`mesh lab overlay list\`, which has ${listOverlays()
      .map(({ name }) => name)
      .join(', ')}.`,
  });
}

function programs(): OverlaySource {
  return { name: TOOLS, path: 'Debian packages', kind: 'programs', shipped: true };
}

function sourceAt(name: string, path: string): OverlaySource {
  const shipped = path.startsWith(shippedFile('overlays'));
  if (!statSync(path).isDirectory()) return { name, path, kind: 'tar', shipped };
  return { name, path, kind: isExecutable(join(path, 'tar')) ? 'script' : 'directory', shipped };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** A digest of all that an overlay is made from. A script counts with its directory and the variables that overlays read. */
export function overlayDigest({ path, kind }: OverlaySource): string {
  const hash = createHash('sha256').update(`${kind}\0`);
  if (kind === 'tar') hash.update(readFileSync(path));
  else addDirectory(hash, path, '');
  if (kind === 'script') {
    const variables = Object.entries(process.env).filter(([name]) => name.startsWith('xcluster_') || name === 'SETUP');
    hash.update(JSON.stringify(variables.sort()));
  }
  return hash.digest('hex');
}

function addDirectory(hash: ReturnType<typeof createHash>, root: string, below: string): void {
  for (const entry of readdirSync(join(root, below), { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const path = join(below, entry.name);
    const full = join(root, path);
    hash.update(`\0${path}\0${lstatSync(full).mode}\0`);
    if (entry.isDirectory()) addDirectory(hash, root, path);
    else if (entry.isSymbolicLink()) hash.update(readlinkSync(full));
    else if (entry.isFile()) hash.update(readFileSync(full));
  }
}

/** The files of an overlay. @throws MESH_LAB_OVERLAY with the words of a script that fails */
export async function overlayTree(source: OverlaySource, limits = LIMITS): Promise<RootTree> {
  const tree = new RootTree();
  if (source.kind === 'directory') {
    const own = join(source.path, TREE);
    const isApart = existsSync(own) && statSync(own).isDirectory();
    await tree.copy(isApart ? own : source.path, '', (path) => isApart || !ABOUT.has(path));
    return tree;
  }
  const archive = source.kind === 'script' ? await printedArchive(source, limits) : readFileSync(source.path);
  await addArchive(tree, archive, source);
  return tree;
}

async function printedArchive({ name, path }: OverlaySource, limits: ScriptLimits): Promise<Buffer> {
  const script = join(path, 'tar');
  const { fault, printed, said } = await scriptOutput([script, '-'], path, limits);
  if (fault === undefined) return printed;
  const last = said.trim().split('\n').at(-1) ?? '';
  throw new MeshError(
    'MESH_LAB_OVERLAY',
    `the script of the overlay ${name} ${fault}${last === '' ? '' : `: ${last}`}`,
    {
      object: script,
      rule: 'The script `tar` of an overlay prints a tar archive when it is called with -, and ends with 0.',
      remedy: `Run it by hand: ${script} - | tar t`,
    },
  );
}

async function addArchive(tree: RootTree, packed: Buffer, { name, path }: OverlaySource): Promise<void> {
  const broken = (how: string) =>
    new MeshError('MESH_LAB_OVERLAY', `what the overlay ${name} gives ${how}`, {
      object: path,
      rule: 'An overlay gives a tar archive, which may be compressed with gzip or zstd. Nothing else is on the standard output of its script.',
      remedy: 'Look at it with `tar t`.',
    });
  let entries: Awaited<ReturnType<typeof unpackTar>>;
  try {
    entries = await unpackTar(plain(packed), { strict: true });
  } catch {
    throw broken('is no tar archive');
  }
  if (entries.length === 0) throw broken('is empty');
  const contents = new Map<string, { data: Uint8Array; mode: number }>();
  for (const { header, data = new Uint8Array() } of entries) {
    const target = header.name.replace(/^(?:\.?\/+)+/, '').replace(/\/+$/, '');
    if (target === '' || target === '.') continue;
    if (target.split('/').includes('..')) throw broken(`leads out of the guest: ${target}`);
    const mode = (header.mode ?? 0o644) & 0o7777;
    if (header.type === 'directory') tree.directory(target, mode);
    else if (header.type === 'symlink') tree.link(target, header.linkname ?? '');
    else if (header.type === 'link') {
      const other = contents.get((header.linkname ?? '').replace(/^(?:\.?\/+)+/, ''));
      if (other === undefined) throw broken(`has a hard link to nothing: ${target}`);
      tree.file(target, other.data, other.mode);
    } else if (header.type === 'file' || header.type === undefined) {
      contents.set(target, { data, mode });
      tree.file(target, data, mode);
    }
  }
}

function plain(packed: Buffer): Buffer {
  const options = { maxOutputLength: ARCHIVE_MAX_BYTES };
  if (packed[0] === 0x1f && packed[1] === 0x8b) return gunzipSync(packed, options);
  if (packed.length > 4 && packed.readUInt32LE(0) === 0xfd2fb528) return zstdDecompressSync(packed, options);
  return packed;
}

/** The first line of an overlay's README. */
export function overlayAbout({ path, kind }: OverlaySource): string {
  if (kind === 'programs') return 'Programs: tcpdump, iperf3, nft, ip, tc, bash; kernel modules for networks.';
  const file = ['README', 'README.md'].map((name) => join(path, name)).find((name) => existsSync(name));
  return file === undefined ? '' : (readFileSync(file, 'utf8').split('\n')[0] ?? '');
}

/** The paths of the files that an overlay gives a machine. */
export async function overlayFiles(source: OverlaySource): Promise<string[]> {
  if (source.kind === 'programs') return [overlayAbout(source)];
  const tree = await overlayTree(source);
  return tree
    .entries()
    .flatMap((entry) => (entry.kind === 'directory' ? [] : [`/${entry.path}`]))
    .filter((path) => !/^\/(?:bin|sbin|lib|lib64)$/.test(path));
}
