/** An earlier version of Meshwork, built from the history of this repository as its own build does it, and run on hosts of a lab. */
import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TOP } from '../../packaging/bundle.ts';
import type { Lab } from '../../src/lab/cluster/lab.ts';
import type { CommandOutcome } from '../../src/lab/hosts/host-shell.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { pathsBelow } from '../../src/protocol/documents/paths.ts';
import type { DaemonName } from '../../src/protocol/http/service-manager.ts';

/** What a build needs of a commit. */
const PARTS = ['src', 'packaging', 'package.json'];

/** The bundles of one commit. Disposing of it ends its processes, and removes it. */
export class EarlierVersion implements Disposable {
  readonly #directory: string;
  readonly #processes: ChildProcess[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Builds a commit.
   * @throws Error where the repository's history is not there, and where the commit needs other packages than are installed
   */
  static build(commit: string): EarlierVersion {
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
      mustHaveDependencies(commit, directory);
      symlinkSync(join(TOP, 'node_modules'), join(directory, 'node_modules'));
      execFileSync(process.execPath, [join(directory, 'packaging/bundle.ts'), join(directory, 'dist')], {
        stdio: 'pipe',
      });
      return version;
    } catch (thrown) {
      version[Symbol.dispose]();
      throw thrown;
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

/** The build takes the packages that are installed here. @throws Error when the earlier version needs others */
function mustHaveDependencies(commit: string, directory: string): void {
  const of = (place: string) =>
    (JSON.parse(readFileSync(join(place, 'package.json'), 'utf8')) as { dependencies: Record<string, string> })
      .dependencies;
  const [then, now] = [of(directory), of(TOP)];
  const others = Object.keys(then).filter((name) => then[name] !== now[name]);
  if (others.length === 0) return;
  throw new Error(`the commit ${commit} needs other versions of ${others.join(', ')}: name a later commit in the test`);
}
