/**
 * Whom a node knew last in each of its meshes, on its disk: what it begins with, so that machines which lose their power
 * together find each other again without host0. It is a memory and no list: host0's word is waited for as after any other
 * absence (member-list.ts), and where the kernel has an entry of an earlier life of this agent, that is newer.
 */

import { type Ipv4Cidr, isIpv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { ipv6InSubnet, ipv6Subnet, parseIpv6Interface } from '../../model/address/ipv6.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { Member } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import { type MeshIdentity, mustRejoin } from '../../model/network/network-equality.ts';
import { formatMemberLine, parseMemberLine } from '../../protocol/documents/membership.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';

export interface KnownMesh {
  readonly network: Network;
  /** host0 and the node itself may be among them. */
  readonly members: readonly Member[];
  /** The underlay subnets that host0 forwards between. */
  readonly segments: readonly Ipv4Cidr[];
}

/** What was written down of a mesh. How the network was defined otherwise is of no interest: the files say how it is now. */
interface RememberedMesh extends Omit<KnownMesh, 'network'> {
  readonly network: MeshIdentity;
}

/** A text that is old or new after a power cut, and never a third thing. */
export interface DurableText {
  /** Undefined when there is none. */
  readonly read: () => Promise<string | undefined>;
  readonly write: (text: string) => Promise<void>;
}

export interface LastKnownInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly text: DurableText;
  readonly now: () => readonly KnownMesh[];
}

/** Members come and go in bursts, and flash wears out: what a crash loses of so long a time, host0 tells anew. */
const SETTLE_MS = 10_000;
const RETRY_MS = 60_000;

export class LastKnown {
  readonly #input: LastKnownInput;
  #meshes: readonly RememberedMesh[] = [];
  #text: string | undefined;
  #soon: Alarm | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** Whether it has been said that it cannot be written. */
  #told = false;

  constructor(input: LastKnownInput) {
    this.#input = input;
  }

  /** Reads what an earlier life has written. What cannot be read is as if it were not there. */
  async load(): Promise<void> {
    try {
      this.#text = await this.#input.text.read();
      if (this.#text !== undefined) this.#meshes = parse(this.#text);
    } catch (error) {
      this.#input.journal.failure('members not remembered', error);
    }
  }

  /** Whom the mesh had when it was known last; undefined when it was another one then, or none. */
  of(network: Network): KnownMesh | undefined {
    const known = this.#meshes.find((mesh) => !mustRejoin(mesh.network, network));
    return known === undefined ? undefined : { ...known, network };
  }

  /** Something may be different: it is written down when it is, and nothing is while it is not. */
  changed(): void {
    this.#lookIn(SETTLE_MS);
  }

  /** Writes what has not been written yet. */
  async close(): Promise<void> {
    const open = this.#soon !== undefined;
    this.#soon?.cancel();
    if (open) await this.#write();
    await this.#writing;
  }

  #lookIn(delayMs: number): void {
    this.#soon ??= this.#input.clock.after(delayMs, () => {
      this.#soon = undefined;
      void this.#write();
    });
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeNow());
    return this.#writing;
  }

  /** Never rejects. */
  async #writeNow(): Promise<void> {
    const { text, now, journal } = this.#input;
    const meshes = now();
    this.#meshes = meshes;
    const document = format(meshes);
    if (document === this.#text) return;
    try {
      await text.write(document);
      this.#text = document;
      this.#told = false;
    } catch (error) {
      if (!this.#told) journal.failure('members not kept', error);
      this.#told = true;
      this.#lookIn(RETRY_MS);
    }
  }
}

/** The members, each where the kernel sends its packets to: an entry is written before the disk is, and may be all that was. */
export function asKernelHas({ network, members }: KnownMesh, cache: KernelCache): readonly Member[] {
  const link = cache.linkNamed(network.devices.vxlan)?.index;
  if (link === undefined) return members;
  return members.map((member) => {
    const entry = cache.entryAt({ link, table: 'self', mac: member.mac });
    const ipv4 = entry?.externLearn === true ? entry.remoteVtep : undefined;
    return ipv4 !== undefined && isIpv4(ipv4) ? { ...member, ipv4 } : member;
  });
}

function format(meshes: readonly KnownMesh[]): string {
  const document = {
    version: 1,
    meshes: meshes.map(({ network, segments, members }) => ({
      network,
      segments,
      members: members.map(formatMemberLine),
    })),
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

/** @throws TypeError or MESH_ADDRESS_INVALID for what `format` has not made */
function parse(text: string): RememberedMesh[] {
  const document: unknown = JSON.parse(text);
  if (fieldOf(document, 'version') !== 1) throw new TypeError('not a document that this program wrote');
  return listOf(document, 'meshes').map((mesh) => {
    const network = parseIdentity(fieldOf(mesh, 'network'));
    const segments = listOf(mesh, 'segments').map((segment) => parseIpv4Cidr(String(segment)));
    const members = listOf(mesh, 'members').map((line) => parseMemberLine(String(line)));
    if (members.some(({ ipv6 }) => !ipv6InSubnet(ipv6, network.fabric.prefix))) {
      throw new TypeError('a member is not of its mesh');
    }
    return { network, segments, members };
  });
}

function parseIdentity(network: unknown): MeshIdentity {
  const fabric = fieldOf(network, 'fabric');
  const [name, key, vni] = [fieldOf(network, 'name'), fieldOf(fabric, 'key'), fieldOf(fabric, 'vni')];
  if (typeof name !== 'string' || typeof key !== 'string' || typeof vni !== 'number') {
    throw new TypeError('a mesh lacks its name, key or number');
  }
  const { address, length } = parseIpv6Interface(String(fieldOf(fabric, 'prefix')));
  return { name, fabric: { vni, key, prefix: ipv6Subnet(address, length) } };
}

function listOf(document: unknown, name: string): readonly unknown[] {
  const value = fieldOf(document, name);
  if (!Array.isArray(value)) throw new TypeError(`it has no list of ${name}`);
  return value;
}

function fieldOf(document: unknown, name: string): unknown {
  return typeof document === 'object' && document !== null ? Reflect.get(document, name) : undefined;
}
