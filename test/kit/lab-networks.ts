/** Meshes of a lab besides `EXAMPLE_MESH`, with which the lab begins: their files, and the hosts' addresses in them. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printMeshConf } from '../../src/formats/conf/mesh-conf.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import type { Ipv6 } from '../../src/model/address/ipv6.ts';
import { memberAddresses } from '../../src/model/network/member.ts';
import type { Network } from '../../src/model/network/network.ts';
import { pathsBelow } from '../../src/protocol/documents/paths.ts';
import { mesh } from './networks.ts';

/** A mesh whose VNI, key and prefix come right after those of `EXAMPLE_MESH`. */
export const SECOND_MESH = mesh('second', 457, { prefix: 'fd42:2345:1234:9abd::/64' });

/** Puts NAME.conf among the host's network files, in one step as an editor would. */
export function writeMesh(host: LabHost, network: Network): void {
  const file = fileOf(host, network.name);
  writeFileSync(`${file}.new`, printMeshConf(network));
  renameSync(`${file}.new`, file);
}

/** Takes NAME.conf away from the host's network files. */
export function removeMesh(host: LabHost, { name }: Network): void {
  rmSync(fileOf(host, name));
}

/** Where the host looks for NAME.conf. */
export function fileOf(host: LabHost, name: string): string {
  const paths = pathsBelow(host.root);
  return join(host.role === 'host0' ? paths.host0Networks : paths.nodeNetworks, `${name}.conf`);
}

/** The host's IPv6 address inside `network`, which follows from its machine id. */
export function addressIn(network: Network, host: LabHost): Ipv6 {
  return memberAddresses(network, host.role === 'host0' ? 'host0' : host.machine).ipv6;
}
