/** A mesh beside the one that every lab has, on those of its hosts that get its file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printMeshConf } from '../../src/formats/mesh-conf.ts';
import type { LabHost } from '../../src/lab/lab-host.ts';
import type { Ipv6Cidr } from '../../src/model/ipv6.ts';
import { type MemberAddresses, memberAddresses } from '../../src/model/member.ts';
import { meshNetwork, type Vni } from '../../src/model/network.ts';
import { pathsBelow } from '../../src/protocol/paths.ts';
import { statusOf } from './drift.ts';
import { until } from './until.ts';

export const SECOND_MESH = meshNetwork({
  name: 'second',
  prefix: 'fd42:2345:1234:9abd::/64' as Ipv6Cidr,
  vni: 457 as Vni,
  key: '457',
});

/** Joining takes half a second. */
const JOIN_DEADLINE_MS = 15_000;

/** Where a host's network files are. */
export function networksOf(host: LabHost): string {
  const { host0Networks, nodeNetworks } = pathsBelow(host.root);
  return host.role === 'host0' ? host0Networks : nodeNetworks;
}

/** Gives `hosts` the file, host0 among them; resolves when all are members and know each other. */
export async function joinSecondMesh(hosts: readonly LabHost[]): Promise<void> {
  for (const host of hosts) writeFileSync(join(networksOf(host), 'second.conf'), printMeshConf(SECOND_MESH));
  for (const host of hosts) {
    await until(`${host.name} is in the second mesh`, JOIN_DEADLINE_MS, async () => {
      const views = (await statusOf(host))?.networks ?? [];
      const view = views.find(({ network }) => network.id === SECOND_MESH.id);
      return view?.state.phase === 'ready' && view.members.length === hosts.length;
    });
  }
}

export function inSecondMesh(host: LabHost): MemberAddresses {
  return memberAddresses(SECOND_MESH, host.role === 'host0' ? 'host0' : host.machine);
}
