/**
 * Meshes of a lab besides `EXAMPLE_MESH`, with which each lab begins: their files, and the addresses of hosts in them.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printMeshConf } from '../../src/formats/conf/mesh-conf.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import type { Ipv6 } from '../../src/model/address/ipv6.ts';
import { memberAddresses } from '../../src/model/network/member.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import { pathsBelow } from '../../src/protocol/documents/paths.ts';
import { mesh } from './networks.ts';

/** A mesh whose VNI, key and prefix follow directly after those of `EXAMPLE_MESH`. */
export const SECOND_MESH = mesh('second', 457, { prefix: 'fd42:2345:1234:9abd::/64' });

/** Writes NAME.conf into the host's directory of network files, in one step as an editor would. */
export function writeMesh(host: LabHost, network: Mesh): void {
  const file = fileOf(host, network.name);
  writeFileSync(`${file}.new`, printMeshConf(network));
  renameSync(`${file}.new`, file);
}

/** Removes NAME.conf from the host's directory of network files. */
export function removeMesh(host: LabHost, { name }: Mesh): void {
  rmSync(fileOf(host, name));
}

/** The path of NAME.conf on the host. */
export function fileOf(host: LabHost, name: string): string {
  const paths = pathsBelow(host.root);
  return join(host.role === 'host0' ? paths.host0Networks : paths.nodeNetworks, `${name}.conf`);
}

/** The IPv6 address of the host in `network`, which is derived from its machine id. */
export function addressIn(network: Mesh, host: LabHost): Ipv6 {
  return memberAddresses(network, host.role === 'host0' ? 'host0' : host.machine).ipv6;
}
