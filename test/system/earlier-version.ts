/** An earlier version of Meshwork, built from the history of this repository, and run on hosts of a lab. */
import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE_OPTIONS, TOP } from '../../packaging/bundle.ts';
import type { Lab } from '../../src/lab/cluster/lab.ts';
import type { CommandOutcome } from '../../src/lab/hosts/host-shell.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { pathsBelow } from '../../src/protocol/documents/paths.ts';
import type { DaemonName } from '../../src/protocol/http/service-manager.ts';

/** What a build needs of a commit. */
const PARTS = ['src'];
/** The modules of each program: host0 has a thread of its own. */
const MODULES = {
  agent: ['main/agent'],
  host0: ['main/host0', 'store/sqlite/sqlite-worker'],
  cli: ['main/cli'],
} as const;

/** The bundles of one commit. Disposing of it ends its processes, and removes it. */
export class EarlierVersion implements Disposable {
  readonly #directory: string;
  readonly #processes: ChildProcess[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Builds programs of a commit with the packages that are installed here.
   * @throws Error where the repository's history is not there, and where the commit needs other packages
   */
  static async build(commit: string, programs: readonly (keyof typeof MODULES)[]): Promise<EarlierVersion> {
    const git = ['-c', `safe.directory=${TOP}`, '-C', TOP];
    if (spawnSync('git', [...git, 'cat-file', '-e', `${commit}^{commit}`]).status !== 0) {
      throw new Error(
        `${TOP} has no commit ${commit}, which this test builds and runs. Run the test in a clone with its whole history: git fetch --unshallow`,
      );
    }
    const directory = mkdtempSync(join(tmpdir(), 'mw-earlier-'));
    const version = new EarlierVersion(directory);
    try {
      const archive = execFileSync('git', [...git, 'archive', commit, ...PARTS], { maxBuffer: 256 * 1024 * 1024 });
      execFileSync('tar', ['-x', '-C', directory], { input: archive });
      const dist = join(directory, 'dist');
      mkdirSync(dist);
      for (const place of [directory, dist]) symlinkSync(join(TOP, 'node_modules'), join(place, 'node_modules'));
      const entryPoints = programs.flatMap((name) => MODULES[name]).map((name) => join(directory, `src/${name}.ts`));
      const define = { MESHWORK_BUILD: 'undefined' };
      await build({ ...BUNDLE_OPTIONS, write: true, absWorkingDir: directory, define, entryPoints, outdir: dist });
      return version;
    } catch (thrown) {
      version[Symbol.dispose]();
      throw new Error(`the commit ${commit} cannot be built here: name a later one in the test`, { cause: thrown });
    }
  }

  /** Starts a program of this version on a host, with its output in the host's log. @returns a function that ends it */
  start(lab: Lab, host: LabHost, program: DaemonName): () => Promise<void> {
    const { logs } = pathsBelow(host.root);
    const common = ['--root', host.root, '--name', host.name];
    const node = host.role === 'host0' ? ['--on-host0'] : ['--machine', host.machine, '--host0', host.host0];
    const log = openSync(join(logs, `${program}.log`), 'a');
    const argv = [process.execPath, this.#file(program), ...common, ...(program === 'agent' ? node : [])];
    const child = lab.spawn(host, argv, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#processes.push(child);
    return async () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${program} of ${host.name} has ended`);
      child.kill('SIGTERM');
      await once(child, 'exit');
    };
  }

  /** Runs this version's `mesh` on a host. */
  mesh(lab: Lab, host: LabHost, ...words: readonly string[]): Promise<CommandOutcome> {
    return lab.exec(host, [process.execPath, this.#file('cli'), ...words]);
  }

  [Symbol.dispose](): void {
    for (const child of this.#processes) child.kill('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #file(program: DaemonName | 'cli'): string {
    return join(this.#directory, 'dist', `${program}.mjs`);
  }
}
