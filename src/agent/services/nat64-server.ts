/** The servers of NAT64 and DNS64 of a network on its active router. */
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { AssignedDns64, AssignedNat64 } from '../../protocol/documents/service/assigned-nat64.ts';
import { taygaConf } from '../../services/tayga/tayga-conf.ts';
import { taygaProcess } from '../../services/tayga/tayga-process.ts';
import { unboundConf } from '../../services/unbound/unbound-conf.ts';
import { unboundProcess } from '../../services/unbound/unbound-process.ts';
import type { NodeService } from '../desired/parts/service.ts';
import type { ServerUser } from './server-user.ts';
import { translationOf } from './way-out.ts';

/** Where a server of a space is, and what it reads. */
export interface ServerPlace {
  readonly name: string;
  readonly netns: string;
  readonly configFile: string;
  /** The directory for its own files of this boot. The space makes it. */
  readonly directory: string;
  readonly needs: NonNullable<NodeService['needs']>;
  readonly user?: ServerUser;
}

/** The server of the service here; undefined where another router has it. */
export function nat64Server(
  network: Network,
  service: AssignedNat64 | AssignedDns64,
  machine: MachineWord,
  place: ServerPlace,
): NodeService | undefined {
  if (service.active !== machine) return undefined;
  const { needs, configFile } = place;
  const file = (content: string) => [{ path: configFile, content, mode: 0o644, read: 'start' as const }];
  const common = { network: network.id, needs };
  const process = { ...place, network: network.name };
  if (service.kind === 'dns64') {
    if (service.address === undefined) return undefined;
    const content = unboundConf({ ...service, address: service.address, ...(place.user && { user: place.user.name }) });
    return { ...common, process: unboundProcess(process), files: file(content) };
  }
  const translation = translationOf(service);
  if (translation === undefined) return undefined;
  // tayga keeps its dynamic maps in the directory.
  return { ...common, process: taygaProcess(process), files: file(taygaConf(translation, place.directory)) };
}
