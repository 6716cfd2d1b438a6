/** Meshes of a lab besides the one that it begins with. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printMeshConf } from '../../src/formats/conf/mesh-conf.ts';
import { netnsPath } from '../../src/kernel/netns.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import type { Ipv6, Ipv6Cidr } from '../../src/model/address/ipv6.ts';
import { memberAddresses } from '../../src/model/network/member.ts';
import { meshNetwork, type Network, type Vni } from '../../src/model/network/network.ts';
import { pathsBelow } from '../../src/protocol/documents/paths.ts';
import { allReachable } from './reach.ts';

/** A mesh whose key and prefix follow from its VNI. */
export function meshOf(name: string, vni: number, prefix = `fd42:2345:1234:${vni}::/64`): Network {
  return meshNetwork({ name, vni: vni as Vni, key: String(vni), prefix: prefix as Ipv6Cidr });
}

/** Puts NAME.conf among the host's network files, in one step as an editor would. */
export function writeMesh(host: LabHost, mesh: Network): void {
  const file = fileOf(host, mesh.name);
  writeFileSync(`${file}.new`, printMeshConf(mesh));
  renameSync(`${file}.new`, file);
}

export function removeMesh(host: LabHost, { name }: Network): void {
  rmSync(fileOf(host, name));
}

export function addressIn(network: Network, host: LabHost): Ipv6 {
  return memberAddresses(network, host.role === 'host0' ? 'host0' : host.machine).ipv6;
}

/** Waits until each of `hosts` answers each other in the mesh. */
export async function allAnswer(network: Network, hosts: readonly LabHost[]): Promise<void> {
  const addresses = hosts.map((host) => addressIn(network, host));
  await Promise.all(hosts.map(({ netns }) => allReachable(netnsPath(netns), addresses)));
}

/** Where the host looks for NAME.conf. */
export function fileOf(host: LabHost, name: string): string {
  const paths = pathsBelow(host.root);
  return join(host.role === 'host0' ? paths.host0Networks : paths.nodeNetworks, `${name}.conf`);
}
