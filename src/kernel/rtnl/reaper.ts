/**
 * Deletes links without being in anybody's way. A deletion costs 17 to 60 ms under a lock of the whole machine, so a
 * deferred link is only put aside at once (down, out of its bridge, under another name, marked), and deleted a few at a
 * time in the background: a request that comes meanwhile waits for one message at most.
 */
import { MeshError } from '../../model/error.ts';
import type { Vni } from '../../model/network/network.ts';
import type { Link } from './objects.ts';
import type { KernelOperation } from './operation.ts';
import type { Rtnl } from './rtnl.ts';

/** Says that a link is ours and waits for its deletion, also to a later process. */
export const DEFERRED_ALIAS = 'meshwork:deleting';
/** Three networks' pairs: about 75 ms a message, and half the time that one by one would take. */
const LINKS_PER_MESSAGE = 6;
/** The link groups that messages use in turn: `mwx` in ASCII, and a byte to count with. */
const FIRST_GROUP = 0x6d777800;
const GROUPS = 256;

export class Reaper {
  readonly #rtnl: Rtnl;
  readonly #report: (error: MeshError) => void;
  /** What waits for its deletion, oldest first, by the name that it has now. */
  readonly #deferred = new Map<string, Link>();
  /** What is being deleted right now. */
  #dying: ReadonlySet<string> = new Set();
  /** Resolves when the message under way is done. */
  #message: Promise<void> = Promise.resolve();
  /** Resolves when nothing is left. */
  #work: Promise<void> | undefined;
  #turn = 0;
  #closed = false;

  private constructor(rtnl: Rtnl, report: (error: MeshError) => void) {
    this.#rtnl = rtnl;
    this.#report = report;
  }

  /**
   * Goes on with what an earlier process left to be deleted.
   * @param report is told of each link that cannot be deleted; it stays, marked, for the next process
   */
  static async open(rtnl: Rtnl, report: (error: MeshError) => void): Promise<Reaper> {
    const reaper = new Reaper(rtnl, report);
    reaper.#enqueue((await rtnl.links()).filter((link) => link.alias === DEFERRED_ALIAS));
    return reaper;
  }

  /**
   * Puts links aside: when this resolves, their names are free and they carry nothing. A VNI is free only after the
   * deletion; see `rescue`.
   * @returns for each name, undefined or the error; ENODEV when there is no such link
   */
  async deferDelete(names: readonly string[]): Promise<(MeshError | undefined)[]> {
    const links = await Promise.all(names.map((name) => this.#rtnl.link(name)));
    // In two messages: before Linux 6.2 a link that is up cannot be renamed. The mark first: of a link that is down
    // the kernel announces the name, but not the alias.
    const errors = await this.#rtnl.apply(
      names.flatMap((name, i): KernelOperation[] => [
        { do: 'link-set', link: name, change: { alias: DEFERRED_ALIAS, master: '', up: false } },
        { do: 'link-set', link: name, change: { name: deferredName(links[i]) } },
      ]),
    );
    const results = names.map((_, i) => errors[2 * i] ?? errors[2 * i + 1]);
    const gone = links.filter((link, i) => link !== undefined && results[i] === undefined);
    this.#enqueue(gone.flatMap((link) => (link === undefined ? [] : [{ ...link, name: deferredName(link) }])));
    return results;
  }

  /**
   * Gives back the deferred VXLAN that stands in the way of a new one (same VNI and port), under `name`, down and without
   * a bridge; its entries are what they were. Waits when it is already being deleted.
   * @returns false when there is none, so that one can be made
   */
  async rescue(wanted: { readonly name: string; readonly vni: Vni; readonly udpPort: number }): Promise<boolean> {
    const stands = ({ vxlan }: Link) => vxlan?.vni === wanted.vni && vxlan.udpPort === wanted.udpPort;
    const link = [...this.#deferred.values()].find(stands);
    if (link === undefined) return false;
    if (this.#dying.has(link.name)) {
      await this.#message;
      return false;
    }
    this.#deferred.delete(link.name);
    const errors = await this.#rtnl.apply([
      { do: 'link-set', link: link.name, change: { alias: '', group: 0 } },
      { do: 'link-set', link: link.name, change: { name: wanted.name } },
    ]);
    const error = errors[0] ?? errors[1];
    if (error === undefined) return true;
    if (isAbsent(error)) return false;
    this.#enqueue([link]);
    throw error;
  }

  /** Resolves when nothing is left to delete. */
  async idle(): Promise<void> {
    while (this.#work !== undefined) await this.#work;
  }

  /** Stops after the message under way. What is left stays marked, for the next process. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.idle();
  }

  #enqueue(links: readonly Link[]): void {
    for (const link of links) this.#deferred.set(link.name, link);
    if (this.#deferred.size > 0) this.#work ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#deferred.size > 0 && !this.#closed) {
      const links = [...this.#deferred.values()].slice(0, LINKS_PER_MESSAGE);
      this.#dying = new Set(links.map(({ name }) => name));
      this.#message = this.#delete(links).catch((error: unknown) => {
        // Nothing can be asked of the kernel any more.
        this.#closed = true;
        this.#report(MeshError.from(error));
      });
      await this.#message;
      for (const name of this.#dying) this.#deferred.delete(name);
      this.#dying = new Set();
    }
    this.#work = undefined;
  }

  async #delete(links: readonly Link[]): Promise<void> {
    const group = FIRST_GROUP + (this.#turn++ % GROUPS);
    await this.#rtnl.apply(links.map(({ name }) => ({ do: 'link-set', link: name, change: { group } })));
    const together = await this.#isOurs(group);
    const [error] = together ? await this.#rtnl.apply([{ do: 'group-delete', group }]) : [];
    if (!together || error !== undefined) await this.#deleteEach(links);
  }

  /** Whether nobody else's link is in the group. A list of links that cannot be had proves nothing. */
  async #isOurs(group: number): Promise<boolean> {
    try {
      const members = (await this.#rtnl.links()).filter((link) => link.group === group);
      return members.every(({ name, alias }) => this.#dying.has(name) && alias === DEFERRED_ALIAS);
    } catch (error) {
      if (error instanceof MeshError && error.retryable) return false;
      throw error;
    }
  }

  /** For a group with a stranger in it, or with a link that cannot be deleted. */
  async #deleteEach(links: readonly Link[]): Promise<void> {
    for (const { name } of links) {
      const [error] = await this.#rtnl.apply([{ do: 'link-delete', link: name }]);
      if (error !== undefined && !isAbsent(error)) this.#report(error);
    }
  }
}

/** Of a link that does not exist the name does not matter: renaming it fails with ENODEV. */
function deferredName(link: Link | undefined): string {
  return `mwx${link?.index ?? ''}`;
}

function isAbsent(error: MeshError): boolean {
  return (error.cause as { readonly name?: string } | undefined)?.name === 'ENODEV';
}
