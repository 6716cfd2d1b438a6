/** The files of a lab's hosts in namespaces: networks, machine ids, keys, and the settings of host0. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { EXAMPLE_CONF } from '../hosts/example-mesh.ts';
import type { LabHost } from '../hosts/lab-host.ts';
import { LAB_STORE } from '../hosts/store-members.ts';
import type { LabSize } from '../hosts/topology.ts';
import { enrollHosts } from './enrolment.ts';

/** Writes what the hosts find when they start. @param hosts host0 first */
export async function writeHostFiles(hosts: readonly LabHost[], { store }: Pick<LabSize, 'store'>): Promise<void> {
  const [host0, ...nodes] = hosts;
  for (const host of hosts) writeFiles(host);
  if (host0 === undefined) return;
  await enrollHosts(host0, nodes);
  if (store === 'etcd') writeFileSync(join(pathsBelow(host0.root).host0, 'host0.conf'), `store="${LAB_STORE}"\n`);
}

function writeFiles(host: LabHost): void {
  const paths = pathsBelow(host.root);
  const networks = host.role === 'host0' ? paths.host0Networks : paths.nodeNetworks;
  for (const directory of [networks, paths.logs, dirname(paths.machineFile)]) mkdirSync(directory, { recursive: true });
  writeFileSync(join(networks, 'manage.conf'), EXAMPLE_CONF);
  writeFileSync(paths.machineFile, `${host.machine}\n`);
}
