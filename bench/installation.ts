/** The programs as they are installed: bundles, and the command beside them. Checkouts start slower. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle, TOP } from '../packaging/bundle.ts';

/** An installation in a directory of its own, which goes with it. */
export class Installation implements Disposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Bundles the programs of this checkout. */
  static async make(): Promise<Installation> {
    const installation = new Installation(mkdtempSync(join(tmpdir(), 'meshwork-bench-')));
    try {
      await bundle(join(installation.#directory, 'dist'));
      cpSync(join(TOP, 'bin/mesh'), installation.command);
      return installation;
    } catch (error) {
      installation[Symbol.dispose]();
      throw error;
    }
  }

  /** The path of `mesh`. */
  get command(): string {
    return join(this.#directory, 'bin/mesh');
  }

  /** The environment of its commands. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, MESH_NODE: process.execPath, NODE_COMPILE_CACHE: join(this.#directory, 'cache') };
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
