/** Composes where a host0 has its addresses: on the bridges of its machine, or on devices of its own where several can be host0. */
import { readFile } from 'node:fs/promises';
import { claimSockets, type OwnMember, OwnMemberVerification } from '../../api/membership/own-member.ts';
import { KernelSourceVerification } from '../../api/membership/source-verification.ts';
import type { MachineKeys } from '../../controller/machines/machine-keys.ts';
import type { SourceVerification } from '../../controller/membership/source-verification.ts';
import { writeDurable } from '../../disk/durable-file.ts';
import type { Host0Settings } from '../../formats/host0/host0-conf.ts';
import type { LiveMirror } from '../../kernel/mirror/live-mirror.ts';
import { permanentMacs } from '../../kernel/rtnl/permanent-macs.ts';
import { machineId } from '../../machine/machine-id.ts';
import { host0DeviceOf, host0NameOn } from '../../model/host0-device.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import { keyFileText } from '../../protocol/shapes/key-file.ts';

/** Where host0 is on its machine. */
export interface Host0Place {
  readonly verification: SourceVerification;
  readonly deviceOf: (network: Mesh) => string;
  /** What host0 is called in lists of members. @param name of this machine */
  readonly title: (name: string) => string;
  /** The node on this machine; undefined where host0's own agent is no node. */
  readonly own: OwnMember | undefined;
}

/** Finds the place. @throws MESH_MACHINE_* where several machines can be host0, and this one has no id */
export function openPlace(settings: Pick<Host0Settings, 'host0s'>, paths: Paths, mirror: LiveMirror): Host0Place {
  const { host0s } = settings;
  if (host0s.length === 0) {
    return {
      verification: new KernelSourceVerification(mirror),
      deviceOf: ({ bridge }) => bridge.name,
      title: (name) => name,
      own: undefined,
    };
  }
  const { id: machine } = machineId({
    root: paths.root,
    env: process.env,
    permanentMacs: permanentMacs(mirror.links),
  });
  const addresses = () => new Set(Array.from(mirror.addresses, ({ address }) => address));
  const own: OwnMember = {
    machine,
    directory: paths.host0Sockets,
    ipv4: () => host0s.find((address) => addresses().has(address)),
  };
  claimSockets(paths.host0Sockets);
  const verification = new OwnMemberVerification(own, new KernelSourceVerification(mirror, host0DeviceOf));
  // The machine has its name as a node, too.
  return { verification, deviceOf: host0DeviceOf, title: host0NameOn, own };
}

/** Gives the node on this machine its first key, as `mesh node enroll` does for others. */
export async function enrollOwn({ own }: Host0Place, keys: MachineKeys, { keyFile }: Paths): Promise<void> {
  if (own === undefined) return;
  const isThere = await readFile(keyFile).then(
    () => true,
    () => false,
  );
  const key = isThere ? undefined : await keys.offer(own.machine);
  if (key !== undefined) await writeDurable(keyFile, keyFileText(key), 0o600);
}
