/**
 * Deletes links in the background, so that other requests do not wait long. A deletion costs 17 to 60 ms under a lock
 * of the whole machine. So a link is first put aside at once (down, out of its bridge, renamed, marked): its delete is
 * deferred. Then deferred links are deleted a few at a time: a request that comes meanwhile waits for at most one such
 * message.
 */
import { MeshError } from '../../model/error.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';
import type { Link } from './objects.ts';
import type { KernelOperation } from './operation.ts';
import type { Rtnl } from './rtnl.ts';

/** The alias of a link that we own and that waits for its deletion. A later process recognises it by this alias. */
export const DEFERRED_ALIAS = 'meshwork:deleting';
/** The VXLAN and bridge of three networks: about 75 ms a message, half the time of deleting each in its own message. */
const LINKS_PER_MESSAGE = 6;
/** The link groups that messages use, one after the other: `mwx` in ASCII, then a counting byte. */
const FIRST_GROUP = 0x6d777800;
const GROUPS = 256;

/** Defers the deletes of links, and gives a deferred VXLAN back when its network returns. */
export class Reaper {
  readonly #rtnl: Rtnl;
  readonly #report: (error: MeshError) => void;
  /** The links that wait for their deletion, oldest first, by their present names. */
  readonly #deferred = new Map<string, Link>();
  /** Names of the links that the message under way deletes. */
  #dying: ReadonlySet<string> = new Set();
  /** Resolves when the message under way is answered. */
  #message: Promise<void> = Promise.resolve();
  /** Resolves when nothing is left. */
  #work: Promise<void> | undefined;
  #nextGroup = 0;
  #closed = false;

  private constructor(rtnl: Rtnl, report: (error: MeshError) => void) {
    this.#rtnl = rtnl;
    this.#report = report;
  }

  /**
   * Starts, and deletes the links that an earlier process has deferred.
   * @param report is called for each link that cannot be deleted; the link stays, marked, for the next process
   * @throws MESH_KERNEL_REFUSED
   */
  static async open(rtnl: Rtnl, report: (error: MeshError) => void): Promise<Reaper> {
    const reaper = new Reaper(rtnl, report);
    reaper.#enqueue((await rtnl.links()).filter((link) => link.alias === DEFERRED_ALIAS));
    return reaper;
  }

  /**
   * Puts links aside: when this resolves, their names are free and they carry no packets. Their VNIs are free only
   * after the deletion; see `rescue`.
   * @returns for each name, undefined or the error; ENODEV when there is no such link
   */
  async deferDelete(names: readonly string[]): Promise<(MeshError | undefined)[]> {
    const links = await Promise.all(names.map((name) => this.#rtnl.link(name)));
    // In two messages, since before Linux 6.2 a link that is up cannot be renamed. The mark comes first: for a link
    // that is down, the kernel sends an event about the name but not about the alias.
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
   * Gives back the deferred VXLAN that has the VNI and UDP port of a wanted one, under `name`, down and without a
   * bridge; its FDB entries are unchanged. When that VXLAN is already being deleted, waits for the end of the deletion.
   * @returns false when there is none, so that a new one can be made
   * @throws MESH_KERNEL_REFUSED when the VXLAN cannot be renamed; it then stays deferred
   */
  async rescue(wanted: { readonly name: string; readonly vni: Vni; readonly udpPort: number }): Promise<boolean> {
    const isInTheWay = ({ vxlan }: Link) => vxlan?.vni === wanted.vni && vxlan.udpPort === wanted.udpPort;
    const link = [...this.#deferred.values()].find(isInTheWay);
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

  /** Stops after the message under way. Remaining links stay marked, for the next process. */
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
        // The socket is unusable: no further message can be sent.
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
    const group = FIRST_GROUP + (this.#nextGroup++ % GROUPS);
    await this.#rtnl.apply(links.map(({ name }) => ({ do: 'link-set', link: name, change: { group } })));
    const together = await this.#isOurs(group);
    const [error] = together ? await this.#rtnl.apply([{ do: 'group-delete', group }]) : [];
    if (!together || error !== undefined) await this.#deleteEach(links);
  }

  /** Whether all links in the group are ours. False when the list of links cannot be read. */
  async #isOurs(group: number): Promise<boolean> {
    try {
      const members = (await this.#rtnl.links()).filter((link) => link.group === group);
      return members.every(({ name, alias }) => this.#dying.has(name) && alias === DEFERRED_ALIAS);
    } catch (error) {
      if (error instanceof MeshError && error.retryable) return false;
      throw error;
    }
  }

  /** Deletes links one by one: for a group that also has a foreign link, or a link that cannot be deleted. */
  async #deleteEach(links: readonly Link[]): Promise<void> {
    for (const { name } of links) {
      const [error] = await this.#rtnl.apply([{ do: 'link-delete', link: name }]);
      if (error !== undefined && !isAbsent(error)) this.#report(error);
    }
  }
}

/** The name of a deferred link. For an absent link any name will do: renaming it fails with ENODEV. */
function deferredName(link: Link | undefined): string {
  return `mwx${link?.index ?? ''}`;
}

function isAbsent(error: MeshError): boolean {
  return (error.cause as { readonly name?: string } | undefined)?.name === 'ENODEV';
}
