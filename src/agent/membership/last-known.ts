/**
 * The last known members of each mesh, in a file. A node starts with them, so that machines which lost power together
 * find each other again without host0. They are unconfirmed: only host0's list settles the membership (member-list.ts).
 * Where the kernel still has an FDB entry of an earlier run of this agent, that entry is newer than the file.
 */

import { type Ipv4Cidr, isIpv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { ipv6InSubnet, ipv6Subnet, parseIpv6Interface } from '../../model/address/ipv6.ts';
import { isUnicastMac } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { Member } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import { type MeshIdentity, mustRejoin } from '../../model/network/network-equality.ts';
import { formatMemberLine, parseMemberLine } from '../../protocol/documents/membership.ts';
import { isSegment, isUnderlayAddress, SEGMENTS_MAX } from '../../protocol/documents/membership-shape.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';

/** One mesh as this node knows it. */
export interface KnownMesh {
  readonly network: Network;
  /** host0 and the node itself may be among them. */
  readonly members: readonly Member[];
  /** The underlay subnets that host0 forwards between. */
  readonly segments: readonly Ipv4Cidr[];
}

/**
 * One mesh as read from the file. Of the network only its identity counts: the rest comes from the network files of
 * today.
 */
interface RememberedMesh extends Omit<KnownMesh, 'network'> {
  readonly network: MeshIdentity;
}

/** A text file that is written atomically: after a power cut it holds either the old text or the new one. */
export interface DurableText {
  /** Undefined when there is no file. */
  readonly read: () => Promise<string | undefined>;
  readonly write: (text: string) => Promise<void>;
}

/** What the last known members need. */
export interface LastKnownInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly text: DurableText;
  /** The meshes to write, as they are now. */
  readonly now: () => readonly KnownMesh[];
}

/**
 * Members come and go in bursts, and flash wears out. Changes of this time are lost in a crash; host0 sends them again.
 */
const SETTLE_MS = 10_000;
const RETRY_MS = 60_000;

/** Reads the file once, and writes it when the meshes have changed. Call `changed` after each possible change. */
export class LastKnown {
  readonly #input: LastKnownInput;
  #meshes: readonly RememberedMesh[] = [];
  #text: string | undefined;
  #soon: Alarm | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** Whether the present write failure is in the journal already. */
  #told = false;

  constructor(input: LastKnownInput) {
    this.#input = input;
  }

  /** Reads the file of an earlier run. A file that cannot be read is journalled, and then treated as absent. */
  async load(): Promise<void> {
    try {
      this.#text = await this.#input.text.read();
      if (this.#text !== undefined) this.#meshes = parse(this.#text);
    } catch (error) {
      this.#input.journal.failure('members not remembered', error);
    }
  }

  /** The mesh as it was last known; undefined when the file has no mesh of this identity. */
  of(network: Network): KnownMesh | undefined {
    const known = this.#meshes.find((mesh) => !mustRejoin(mesh.network, network));
    return known === undefined ? undefined : { ...known, network };
  }

  /** Call when the meshes may have changed. The file is written after a pause, and only if its text has changed. */
  changed(): void {
    this.#lookIn(SETTLE_MS);
  }

  /** Writes a change that still waits for its pause. */
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

/**
 * The members of `KnownMesh`, each with the remote VTEP of its FDB entry where the kernel has one. The agent writes
 * entries before the file, so an entry may be newer.
 */
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

/** @throws TypeError or MESH_ADDRESS_INVALID for a text that `format` did not write */
function parse(text: string): RememberedMesh[] {
  const document: unknown = JSON.parse(text);
  if (fieldOf(document, 'version') !== 1) throw new TypeError('not a document that this program wrote');
  return listOf(document, 'meshes').map((mesh) => {
    const network = parseIdentity(fieldOf(mesh, 'network'));
    const segments = listOf(mesh, 'segments').map((segment) => parseIpv4Cidr(String(segment)));
    if (segments.length > SEGMENTS_MAX || !segments.every(isSegment))
      throw new TypeError('not the segments of an underlay');
    const members = listOf(mesh, 'members').map((line) => parseMemberLine(String(line)));
    if (members.some((member) => !isMemberOf(network, member))) throw new TypeError('a member is not of its mesh');
    return { network, segments, members };
  });
}

function isMemberOf({ fabric }: MeshIdentity, { ipv4, mac, ipv6 }: Member): boolean {
  return isUnderlayAddress(ipv4) && isUnicastMac(mac) && ipv6InSubnet(ipv6, fabric.prefix);
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
