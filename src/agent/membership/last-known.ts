/**
 * The last known members of each mesh, in a file. A node starts with them, so that machines which lost power together
 * find each other again without host0. They are unconfirmed: only host0's list settles the membership (member-list.ts).
 * Where the kernel still has an FDB entry of an earlier run of this agent, that entry is newer than the file.
 */

import { StateFile, type StateForm, type StateText } from '../../disk/state-file.ts';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { type Ipv4Cidr, isIpv4 } from '../../model/address/ipv4.ts';
import { ipv6InSubnet } from '../../model/address/ipv6.ts';
import { isUnicastMac } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { type MeshIdentity, mustRejoin } from '../../model/network/network-equality.ts';
import { isNetworkNumber, type NetworkNumber } from '../../model/network/number.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { formatMemberLine, MEMBERS_MAX, parseMemberLine } from '../../protocol/documents/membership.ts';
import { meshDocument } from '../../protocol/documents/mesh-document.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import * as form from '../../protocol/shapes/form.ts';
import {
  Ipv6CidrShape,
  isUnderlayAddress,
  NETWORKS_MAX,
  parsedBy,
  SegmentsShape,
} from '../../protocol/shapes/parts.ts';

/** One mesh as this node knows it. */
export interface KnownMesh {
  readonly network: Mesh;
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

/** The file as it is written. */
interface MembersDocument {
  readonly meshes: readonly (Omit<KnownMesh, 'members'> & { readonly members: readonly string[] })[];
}

/** What the last known members need. */
export interface LastKnownInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly text: StateText;
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
  #soon: Alarm | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** Whether the present write failure is in the journal already. */
  #told = false;
  /** What is read, and what is written: a member is a line of the member list. */
  readonly #file: StateFile<{ readonly meshes: readonly RememberedMesh[] }, MembersDocument>;

  constructor(input: LastKnownInput) {
    this.#input = input;
    this.#file = new StateFile(input.text, MEMBERS_FILE);
  }

  /** Reads the file of an earlier run. A file that cannot be used is a finding, and then treated as absent. */
  async load(): Promise<void> {
    const document = await this.#file.read();
    this.#meshes = document?.meshes ?? [];
    for (const { code, message, object, remedy } of this.findings) {
      const kind = 'members not remembered';
      this.#input.journal.record({ level: 'warning', kind, message, object, code, remedy });
    }
  }

  /** A finding while the file on disk cannot be used. */
  get findings(): readonly Finding[] {
    return this.#file.health();
  }

  /** The mesh as it was last known; undefined when the file has no mesh of this identity. */
  of(network: Mesh): KnownMesh | undefined {
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
    const { now, journal } = this.#input;
    const meshes = now();
    this.#meshes = meshes;
    try {
      await this.#file.write(documentOf(meshes));
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
export function asKernelHas({ network, members }: KnownMesh, cache: KernelTables): readonly Member[] {
  const link = cache.linkNamed(network.type.device)?.index;
  if (link === undefined) return members;
  return members.map((member) => {
    const entry = cache.entryAt({ link, table: 'self', mac: member.mac });
    const ipv4 = entry?.externLearn === true ? entry.remoteVtep : undefined;
    return ipv4 !== undefined && isIpv4(ipv4) ? { ...member, ipv4 } : member;
  });
}

function documentOf(meshes: readonly KnownMesh[]): MembersDocument {
  return {
    meshes: meshes.map(({ network, segments, members }) => ({
      network: meshDocument(network),
      segments,
      members: members.map(formatMemberLine),
    })),
  };
}

/** Of a network only its identity is read: other parts may have changed since. */
const Name = form.string({ max: 64 });
const NumberShape = form.guard<NetworkNumber>(isNetworkNumber, undefined, { kind: 'number' });
const Derived = form.object({ key: form.string({ max: 20 }), prefix: Ipv6CidrShape });
const Identity: form.Shape<MeshIdentity> = form.union([
  form.object({ number: NumberShape, name: Name, hostAddress: Derived }),
  // The file of the version before.
  form.mapped(
    form.object({ name: Name, fabric: form.object({ ...Derived.fields, vni: NumberShape }) }),
    ({ name, fabric: { vni: number, ...hostAddress } }) => ({ number, name, hostAddress }),
  ),
]);
const MeshOnDisk: form.Shape<RememberedMesh> = form.refined(
  form.object({
    network: Identity,
    segments: SegmentsShape,
    members: form.listOf(parsedBy(parseMemberLine), MEMBERS_MAX + 1),
  }),
  ({ network, members }) => members.every((member) => isMemberOf(network, member)),
);

/** The file `members.json`. */
const MEMBERS_FILE: StateForm<{ readonly meshes: readonly RememberedMesh[] }> = {
  version: 1,
  shape: form.object({ meshes: form.listOf(MeshOnDisk, NETWORKS_MAX) }),
  holds: 'the last known members',
  remedy: 'The agent writes the file anew as soon as host0 lists the members. Look at the disk if this happens again.',
  comesBack: true,
};

function isMemberOf({ hostAddress }: MeshIdentity, { ipv4, mac, ipv6 }: Member): boolean {
  return isUnderlayAddress(ipv4) && isUnicastMac(mac) && ipv6InSubnet(ipv6, hostAddress.prefix);
}
