/**
 * Builds what is installed instead of the source: `node packaging/bundle.ts [DIRECTORY]` bundles every program into
 * `dist/`. Each long-running program, and each of their threads, is one file. The command line is split into parts,
 * since most commands need little of it. The parts lie beside the program, so that a relative URL means the same in
 * each.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import type { Build } from '../src/model/version.ts';

/** The root of the checkout. */
export const TOP = dirname(import.meta.dirname);

/** Programs and threads that are started by a URL relative to another bundle. */
const WHOLE = ['main/agent', 'main/host0', 'store/sqlite/sqlite-worker', 'libvirt/client/libvirt'];
const SPLIT = ['main/cli'];

/** koffi's native code, for glibc and musl, which cannot be bundled: Node finds it as a package beside the bundles. */
const NATIVE = 'node_modules/@koromix/koffi-linux-x64';

/** Scripts that run while a node boots; images are built with them. */
const BOOT_SCRIPTS = 'src/image/node/scripts';

/** Scripts of machines that boot Alpine itself; overlays are made with them. */
const ALPINE_SCRIPTS = 'src/image/node/alpine-scripts';

/** What the agent's package for Alpine has besides the programs; host0 makes the package. */
const ALPINE_PACKAGING = ['packaging/openrc', 'packaging/alpine', 'packaging/default'];

/** Topologies, overlays, net set-ups and hooks of labs, and what the guest runs. */
const LAB_FILES = 'src/lab/shipped';

/** How each program is bundled, apart from its file and where the bundle goes. */
export const BUNDLE_OPTIONS = {
  absWorkingDir: TOP,
  bundle: true,
  platform: 'node',
  format: 'esm',
  // The distributions' Node: the agent runs on Alpine's, host0 and a checkout on 24 and later.
  target: 'node22',
  entryNames: '[name]',
  chunkNames: 'cli-[name]-[hash]',
  outExtension: { '.js': '.mjs' },
  minifyWhitespace: true,
  legalComments: 'none',
  metafile: true,
  write: false,
  logLevel: 'warning',
  external: ['@koromix/*'],
  // Dependencies in CommonJS require Node's built-in modules.
  banner: {
    js: "import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);",
  },
} satisfies BuildOptions;

/**
 * Empties `directory`, and bundles all programs into it.
 * @param from finds out what `mesh --version` names as the source
 * @returns the directories of the packages in node_modules that code was taken from
 */
export async function bundle(directory: string, from = checkout): Promise<string[]> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const define = { MESHWORK_BUILD: JSON.stringify(from()) ?? 'undefined' };
  const built = await Promise.all([
    build({ ...BUNDLE_OPTIONS, define, entryPoints: WHOLE.map(source), outdir: directory }),
    build({ ...BUNDLE_OPTIONS, define, entryPoints: SPLIT.map(source), outdir: directory, splitting: true }),
  ]);
  for (const { path, text } of built.flatMap(({ outputFiles }) => outputFiles)) writeFileSync(path, withBuiltins(text));
  cpSync(join(TOP, NATIVE), join(directory, NATIVE), { recursive: true, dereference: true });
  // Shared libraries are loaded, not run: no execute permission.
  for (const file of globSync('**/*.node', { cwd: join(directory, NATIVE) }))
    chmodSync(join(directory, NATIVE, file), 0o644);
  cpSync(join(TOP, BOOT_SCRIPTS), join(directory, 'node-boot'), { recursive: true });
  cpSync(join(TOP, ALPINE_SCRIPTS), join(directory, 'alpine-boot'), { recursive: true });
  for (const path of ALPINE_PACKAGING)
    cpSync(join(TOP, path), join(directory, 'alpine-package', basename(path)), { recursive: true });
  cpSync(join(TOP, LAB_FILES), join(directory, 'lab'), { recursive: true });
  const inputs = built.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  return [...new Set(inputs.flatMap(packageOf))].sort();
}

/** An import of one of Node's own modules, as esbuild writes it: named exports, or the module itself. */
const BUILTIN_IMPORT = /(?<=^|[;}\n])import(?:\{([^{}]*)\}|\s+([\w$]+)\s*)from\s*["'](node:[\w/]+)["']/g;

/**
 * Takes Node's own modules without an `import`, which reads every export of a module: some are getters that load parts of
 * Node which an agent never needs, in 1 MB of memory of its own.
 */
export function withBuiltins(text: string): string {
  return text.replace(BUILTIN_IMPORT, (_, names: string | undefined, module: string | undefined, id: string) => {
    const taken = module ?? `{${names?.replaceAll(/\s+as\s+/g, ':')}}`;
    return `const ${taken}=globalThis.process.getBuiltinModule("${id}")`;
  });
}

/** The commit of the checkout, for `mesh --version`; undefined where there is no git, or no history. */
function checkout(): Build | undefined {
  const git = (...words: readonly string[]) =>
    // Whoever builds as root in the checkout of another user means this checkout.
    execFileSync('git', ['-c', `safe.directory=${TOP}`, ...words], {
      cwd: TOP,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    const [hash = '', date = ''] = git('log', '-1', '--format=%h %cs', '--abbrev=12').split(' ');
    const isModified = git('status', '--porcelain', '--untracked-files=no') !== '';
    return { commit: isModified ? `${hash}-modified` : hash, date };
  } catch {
    return undefined;
  }
}

function source(module: string): string {
  return join(TOP, 'src', `${module}.ts`);
}

function packageOf(input: string): string[] {
  const [directory] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? [];
  return directory === undefined ? [] : [join(TOP, directory)];
}

if (import.meta.main) await bundle(process.argv[2] ?? join(TOP, 'dist'));
