/** The processes and files of the agent, as items: by a launcher, and in a directory in which all files are ours. */
import type { OwnedFiles } from '../../disk/owned-files.ts';
import { MeshError } from '../../model/error.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import type { Launcher } from '../../services/process/launcher.ts';
import type { ProcessSpec } from '../../services/process/process-spec.ts';
import type { Item, ItemMap } from '../items/item.ts';
import type { ServiceOperation } from '../items/item-kind.ts';
import { processKey } from '../items/process.ts';
import type { ServiceSpace } from '../items/space/service-space.ts';
import type { ServicePort } from '../loop/service-port.ts';
import type { ServerUser } from './server-user.ts';
import type { ServiceSpaces } from './service-spaces.ts';

/** Carries out the steps for processes, files and spaces. */
export class NodeServices implements ServicePort, HealthSource {
  /** Tells how each process is. Only steps of the loop give it orders. */
  readonly launcher: Launcher;
  readonly #files: OwnedFiles;
  readonly #spaces: ServiceSpaces | undefined;

  /** Whom servers of networks become. Absent: root. */
  readonly serverUser: ServerUser | undefined;

  /** @param spaces the namespaces in which networks are served. Absent: there are none */
  constructor(launcher: Launcher, files: OwnedFiles, spaces?: ServiceSpaces, serverUser?: ServerUser) {
    this.serverUser = serverUser;
    this.launcher = launcher;
    this.#files = files;
    this.#spaces = spaces;
  }

  get changes(): Subscribable<void> {
    return this.launcher.changes;
  }

  /** Why the space of this name has no way out. */
  outerFaultOf(space: string): MeshError | undefined {
    return this.#spaces?.outerFaultOf(space);
  }

  /** Whether a space is as it is wanted, as far as the last look has seen. */
  isInPlace(space: ServiceSpace): boolean {
    return this.#spaces?.isInPlace(space) ?? false;
  }

  async observe(desired: ItemMap): Promise<readonly Item[]> {
    const files = (await this.#files.observe()).map((file): Item => ({ kind: 'file', ...file }));
    const wanted = new Map<string, ProcessSpec>();
    for (const item of desired.values()) {
      if (item.kind === 'process' && item.spec !== undefined) wanted.set(item.name, item.spec);
    }
    this.#spaces?.nameAgain(desired, (name) => this.launcher.running(name)?.pid);
    this.launcher.follow(wanted);
    const processes = this.launcher.present().map(({ name, digest, reread, astray }): Item => {
      const want = desired.get(processKey(name));
      const title = want?.kind === 'process' ? want.title : name;
      return { kind: 'process', name, title, digest, astray, needs: [], ...(reread !== undefined && { reread }) };
    });
    return [...files, ...processes, ...((await this.#spaces?.observe(desired)) ?? [])];
  }

  async apply(operations: readonly ServiceOperation[]): Promise<readonly (MeshError | undefined)[]> {
    const errors: (MeshError | undefined)[] = [];
    for (const operation of operations) {
      try {
        errors.push(await this.#perform(operation));
      } catch (thrown) {
        errors.push(MeshError.from(thrown));
      }
    }
    return errors;
  }

  /** The processes that do not keep running, or do not do their work. */
  health(): readonly Finding[] {
    return this.launcher.health();
  }

  /** Leaves the processes running, for the next agent. Resolves when the orders that were given are carried out. */
  async release(): Promise<void> {
    await this.launcher.release();
    await this.#spaces?.close();
  }

  async #perform(operation: ServiceOperation): Promise<MeshError | undefined> {
    switch (operation.do) {
      case 'process-start':
        return this.launcher.start(operation.spec);
      case 'process-reread':
        this.launcher.reread(operation.spec);
        return undefined;
      case 'process-end':
        this.launcher.end(operation.name);
        return undefined;
      case 'file-write':
        await this.#files.write(operation);
        return undefined;
      case 'file-remove':
        await this.#files.remove(operation.path);
        return undefined;
      case 'space-make':
        await this.#spaces?.make(operation.space);
        return undefined;
      case 'space-remove':
        await this.#spaces?.remove(operation.name);
        return undefined;
    }
  }
}
