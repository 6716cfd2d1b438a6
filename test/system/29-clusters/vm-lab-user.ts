/** A user of labs of virtual machines: runs `mesh lab` in a directory, and sees what a lab has left. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandDirectory } from '../../../src/image/node/program-files.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { LABS_DIRECTORY, readRecord } from '../../../src/lab/cluster/record.ts';
import { templateShelf } from '../../../src/lab/templates/template-shelf.ts';

/** A machine boots in three seconds on an idle machine, and in ten times that beside other tests. */
export const UP_MS = 240_000;

/** What a command has done. */
export interface Done {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One lab and the directory that its commands run in. Disposing of it removes both. */
export class VmLabUser implements AsyncDisposable {
  readonly name: string;
  readonly place: string;

  constructor(name: string) {
    this.name = name;
    this.place = mkdtempSync(join(tmpdir(), 'mw-clusters-'));
  }

  /** The directory of the lab. */
  get directory(): string {
    return join(LABS_DIRECTORY, this.name);
  }

  /** PATH as that of a user who has installed the package. */
  get env(): NodeJS.ProcessEnv {
    return { ...process.env, PATH: `${commandDirectory}:${process.env.PATH}`, MESH_LAB: this.name };
  }

  lab(...words: readonly string[]): Done {
    const options = { encoding: 'utf8', cwd: this.place, timeout: UP_MS, env: this.env } as const;
    const { status, stdout, stderr } = spawnSync(join(commandDirectory, 'mesh'), ['lab', ...words], options);
    return { status, stdout, stderr };
  }

  on(vm: string, ...words: readonly string[]): Done {
    return this.lab('exec', vm, '--', ...words);
  }

  /** All that the lab could leave: its namespaces, its directory, its processes, and halves of templates. */
  leftovers(): string[] {
    const namespaces = readdirSync('/run/netns').filter((each) => each.includes(`-${this.name}-`));
    const directories = existsSync(this.directory) ? [this.directory] : [];
    const processes = readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${this.directory}/`);
      } catch {
        return false;
      }
    });
    const drafts = this.drafts().filter((name) => !existsSync(`/proc/${name.split('-')[1]}`));
    return [...namespaces, ...directories, ...processes.map((pid) => `process ${pid}`), ...drafts];
  }

  /** Templates that are being made. */
  drafts(): string[] {
    const shelf = templateShelf();
    return existsSync(shelf) ? readdirSync(shelf).filter((name) => name.startsWith('draft-')) : [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.place, { recursive: true });
    if (readRecord(this.directory) !== undefined) await Lab.open(this.name).down();
  }
}
