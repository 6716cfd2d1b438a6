/** The files of an installation, at the paths where the package puts them. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { manualPages } from '../src/cli/pages/manual.ts';
import { createProgram } from '../src/cli/program.ts';
import { VERSION } from '../src/model/version.ts';
import { bundle, TOP } from './bundle.ts';
import { copyrightFile } from './licences.ts';

/** The time stamp of all files in a package, in seconds since 1970: the same source gives the same bytes. */
export const EPOCH = process.env.SOURCE_DATE_EPOCH ?? '1767225600';

/** The directory of files that only Meshwork uses. */
export const HOME = 'usr/lib/meshwork';

const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/mesh',
  zsh: 'usr/share/zsh/vendor-completions/_mesh',
  fish: 'usr/share/fish/vendor_completions.d/mesh.fish',
};

/** With the same links between them as in the checkout. */
const DOCUMENTATION = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'SECURITY.md', 'docs'];

const FORMATS = join(TOP, 'docs/reference/formats');

/** A directory that is filled from empty, with file modes that do not depend on the umask. Paths are relative to it. */
export class Tree {
  readonly directory: string;

  constructor(directory: string) {
    rmSync(directory, { recursive: true, force: true });
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /** Writes a file. */
  write(path: string, content: string | Buffer, mode: 0o644 | 0o755 = 0o644): void {
    writeFileSync(this.#place(path), content);
    chmodSync(join(this.directory, path), mode);
  }

  /** Copies a file or a directory, with links resolved; `mode` is only for a file. */
  copy(path: string, from: string, mode: 0o644 | 0o755 = 0o644): void {
    cpSync(from, this.#place(path), { recursive: true, dereference: true });
    if (statSync(from).isFile()) chmodSync(join(this.directory, path), mode);
  }

  /** Makes a symbolic link. */
  link(path: string, target: string): void {
    symlinkSync(target, this.#place(path));
  }

  /** The paths of all files, without links, sorted: the same order on every machine. */
  files(): string[] {
    return readdirSync(this.directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.directory.length + 1))
      .sort();
  }

  #place(path: string): string {
    const place = join(this.directory, path);
    mkdirSync(dirname(place), { recursive: true });
    return place;
  }
}

/**
 * Writes the part that all packages share: programs, manual pages, completions, dashboards, licences.
 * @param commonLicences where the distribution has the licences that many packages share
 */
export async function installationTree(directory: string, commonLicences?: string): Promise<Tree> {
  const tree = new Tree(directory);
  const packages = await bundle(join(directory, HOME, 'dist'));
  tree.copy(`${HOME}/bin/mesh`, join(TOP, 'bin/mesh'), 0o755);
  tree.link('usr/bin/mesh', '../lib/meshwork/bin/mesh');
  tree.copy(`${HOME}/bin/xc`, join(TOP, 'bin/xc'), 0o755);
  tree.link('usr/bin/xc', '../lib/meshwork/bin/xc');
  for (const [name, page] of await manual()) {
    tree.write(`usr/share/man/man${name.at(-1)}/${name}.gz`, compressed(page));
  }
  for (const page of DOCUMENTATION) tree.copy(`usr/share/doc/meshwork/${page}`, join(TOP, page));
  for (const [shell, path] of Object.entries(COMPLETIONS)) tree.write(path, mesh(tree, 'complete', shell));
  tree.copy('usr/share/meshwork/grafana/meshwork.json', join(TOP, 'packaging/grafana/meshwork.json'));
  tree.copy('usr/share/meshwork/prometheus/meshwork.rules.yml', join(TOP, 'packaging/prometheus/meshwork.rules.yml'));
  tree.write('usr/share/doc/meshwork/copyright', copyrightFile(packages, commonLicences));
  return tree;
}

/** Runs the `mesh` of the tree, and returns its output. */
function mesh(tree: Tree, ...words: readonly string[]): string {
  const env = { ...process.env, MESH_NODE: process.execPath };
  return execFileSync(join(tree.directory, 'usr/bin/mesh'), words, { env, encoding: 'utf8' });
}

/** The text compressed with gzip, as Debian wants manual pages and changelogs. */
export function compressed(text: string): Buffer {
  return gzipSync(text, { level: 9 });
}

async function manual(): Promise<Map<string, string>> {
  const silent = { write: () => {} };
  const host = { stdout: silent, stderr: silent, entries: { host0: '', agent: '' } };
  const { command } = await createProgram(host, ['complete']);
  return manualPages(command, VERSION, formatPages());
}

/** The pages of the file formats, by their names without `.md`, in the order of their names. */
function formatPages(): Map<string, string> {
  const files = readdirSync(FORMATS).sort();
  return new Map(files.map((file) => [basename(file, '.md'), readFileSync(join(FORMATS, file), 'utf8')]));
}
