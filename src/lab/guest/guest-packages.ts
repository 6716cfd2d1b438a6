/** Debian packages of this machine's apt sources, unpacked for a guest; and what a guest takes of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { elfSection } from '../../formats/binary/elf.ts';
import {
  aliasIndex,
  dependencyIndex,
  type ModuleInfo,
  moduleInfo,
  moduleName,
} from '../../image/node/kernel-modules.ts';
import type { RootTree } from '../../image/node/root-tree.ts';
import { Apt } from '../../image/packages/apt.ts';
import { programOutput } from '../../image/packages/program-output.ts';
import { UNPACKED_PREFIX } from './guest-cache.ts';

/** Debian's kernel for virtual machines: a third of the size of the one for hardware. */
const KERNEL_PACKAGE = 'linux-image-cloud-amd64';
const LOADER = 'lib64/ld-linux-x86-64.so.2';
const LIBRARY_DIRECTORIES = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'];

/** Unpacked packages. Disposing of it removes them. */
export class GuestPackages implements AsyncDisposable {
  /** The directory in which all are unpacked. */
  readonly root: string;
  readonly #work: string;

  private constructor(work: string) {
    this.#work = work;
    this.root = join(work, 'unpacked');
  }

  /** @throws MESH_IMAGE_PACKAGES, MESH_IMAGE_FAILED */
  static async unpack(names: readonly string[]): Promise<GuestPackages> {
    const unpacked = new GuestPackages(await mkdtemp(join(tmpdir(), UNPACKED_PREFIX)));
    try {
      await unpacked.#fill(names);
      return unpacked;
    } catch (error) {
      await unpacked[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #fill(names: readonly string[]): Promise<void> {
    const apt = new Apt(this.#work);
    // Scripts of packages do not run: what only they need stays away.
    const packages = (await apt.closure([KERNEL_PACKAGE, ...names])).filter(
      ({ name }) =>
        name.startsWith('linux-image-') || name.startsWith('lib') || name === 'zlib1g' || names.includes(name),
    );
    for (const file of await apt.fetch(packages)) await programOutput('dpkg-deb', '-x', file, this.root);
  }

  /** The path of the kernel, which ends with its release. */
  get kernel(): string {
    const boot = join(this.root, 'boot');
    return join(boot, readdirSync(boot).find((file) => file.startsWith('vmlinuz-')) ?? 'vmlinuz');
  }

  /** Puts programs into a tree, with the libraries that they are linked with. @param paths in the packages, without a leading slash */
  async addPrograms(tree: RootTree, paths: readonly string[]): Promise<void> {
    const search = LIBRARY_DIRECTORIES.map((directory) => join(this.root, directory)).join(':');
    for (const path of paths) {
      const program = join(this.root, path);
      tree.file(path, await readFile(program), 0o755);
      const listed = await programOutput(join(this.root, LOADER), '--library-path', search, '--list', program);
      for (const [, library = ''] of listed.matchAll(/=> (\S+)/g)) {
        if (!library.startsWith(this.root)) continue;
        tree.file(
          join(LIBRARY_DIRECTORIES[0] ?? '', basename(library)),
          await readFile(await realpath(library)),
          0o755,
        );
      }
    }
    tree.file(LOADER, await readFile(await realpath(join(this.root, LOADER))), 0o755);
  }

  /**
   * Puts kernel modules into a directory of a tree, with those that they depend on.
   * @returns their file names, each behind those that it depends on
   */
  async addModules(tree: RootTree, directory: string, names: readonly string[]): Promise<string[]> {
    const { source, order } = this.#modules(names);
    for (const { path } of order) tree.file(join(directory, basename(path)), await readFile(join(source, path)));
    return order.map(({ path }) => basename(path));
  }

  /** Puts kernel modules where `modprobe` and the kernel itself look for them, with the indexes. */
  async addModuleTree(tree: RootTree, names: readonly string[]): Promise<void> {
    const { source, release, order } = this.#modules(names);
    const directory = join('lib/modules', release);
    for (const { path } of order) tree.file(join(directory, path), await readFile(join(source, path)));
    tree.file(join(directory, 'modules.dep'), dependencyIndex(order));
    tree.file(join(directory, 'modules.alias'), aliasIndex(order));
    tree.link('sbin/modprobe', '../bin/busybox');
  }

  #modules(names: readonly string[]): { source: string; release: string; order: ModuleInfo[] } {
    const [release = ''] = readdirSync(join(this.root, 'lib/modules'));
    const source = join(this.root, 'lib/modules', release);
    return { source, release, order: loadOrder(source, names) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#work, { recursive: true, force: true });
  }
}

/** Modules, each behind those that it depends on. */
function loadOrder(directory: string, names: readonly string[]): ModuleInfo[] {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ko'))
    .sort();
  const infos = new Map(
    paths.map((path) => [
      path,
      moduleInfo(path, elfSection(readFileSync(join(directory, path)), '.modinfo') ?? Buffer.alloc(0)),
    ]),
  );
  const needs = new Map(
    dependencyIndex([...infos.values()])
      .split('\n')
      .filter(Boolean)
      .map((line): [string, string[]] => {
        const [path = '', needed = ''] = line.split(':');
        return [moduleName(path), [path, ...needed.split(' ').filter(Boolean)]];
      }),
  );
  const order = new Set<string>();
  for (const name of names) for (const path of (needs.get(name) ?? []).toReversed()) order.add(path);
  return [...order].flatMap((path) => infos.get(path) ?? []);
}
