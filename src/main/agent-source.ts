/** Composes the source from which the agent of one machine learns its networks and their members. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeKey } from '../agent/channel/node-key.ts';
import type { SystemKernel } from '../agent/kernel/system-kernel.ts';
import { Host0Seat } from '../agent/membership/host0-seat.ts';
import { Host0Source } from '../agent/membership/host0-source.ts';
import { NodeSource, type NodeSourceInput } from '../agent/membership/node-source.ts';
import type { Source } from '../agent/membership/source.ts';
import { NetworkDirectory } from '../disk/network-directory.ts';
import { textOnDisk } from '../disk/state-file.ts';
import { readHost0Conf } from '../formats/host0/host0-conf.ts';
import { permanentMacs } from '../kernel/rtnl/permanent-macs.ts';
import { host0Addresses } from '../machine/host0-addresses.ts';
import { machineId } from '../machine/machine-id.ts';
import type { MachineWord } from '../model/machine.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import { startRemedy } from '../protocol/http/service-manager.ts';

/** What the agent has before its source: name, clock, journal, kernel and transport. */
export interface AgentSourceInput
  extends Pick<NodeSourceInput, 'name' | 'instance' | 'clock' | 'journal' | 'echo' | 'transport' | 'channel'> {
  readonly kernel: SystemKernel;
  readonly paths: Paths;
  /** The options of the command line. */
  readonly options: {
    readonly root: string;
    readonly machine?: string;
    readonly host0?: string;
    readonly 'on-host0': boolean;
  };
}

/** Which machine this is, and what its agent listens to. */
interface AgentSource {
  readonly machine: MachineWord;
  readonly source: Source;
  /** The machine's key file. host0 needs none for its own agent. */
  readonly key: NodeKey | undefined;
  /** Whether this machine's own host0 leads; undefined where it is no host0, or the only one. */
  readonly seat: Host0Seat | undefined;
}

/**
 * Opens the source: that of host0's agent with `--on-host0`, otherwise that of a node.
 * @returns the source; the machine's id (on host0 the word `host0`), from which its mesh addresses are derived; and a node's key
 * @throws MESH_MACHINE_INVALID, MESH_MACHINE_UNREADABLE, MESH_MACHINE_NONE if a node has no usable id
 */
export async function openAgentSource(input: AgentSourceInput): Promise<AgentSource> {
  const { clock, kernel, paths, options } = input;
  const { settings } = await readHost0Conf(paths.host0Conf);
  const { host0s = [] } = settings ?? {};
  const seat = host0s.length === 0 ? undefined : new Host0Seat({ ...input, ...paths, sockets: paths.host0Sockets });
  if (options['on-host0'] && seat === undefined) {
    const { controlSock, root } = paths;
    const source = new Host0Source({ ...input, controlSock, startRemedy: startRemedy('host0', root) });
    return { machine: 'host0', source, key: undefined, seat };
  }
  const { id: machine } = machineId({
    root: options.root,
    env: process.env,
    permanentMacs: permanentMacs(await kernel.rtnl.links()),
    ...(options.machine !== undefined && { override: options.machine }),
  });
  const source = new NodeSource({
    ...input,
    machine,
    ...(seat !== undefined && { seat, transport: seat.transport }),
    host0: seat !== undefined ? host0s : host0Addresses(options.host0, await readFile('/proc/cmdline', 'utf8')),
    lastKnown: textOnDisk(join(paths.state, 'members.json')),
    directory: new NetworkDirectory({
      // A machine that can be host0 is in all meshes.
      directory: seat === undefined ? paths.nodeNetworks : paths.host0Networks,
      stateFile: join(paths.state, 'networks.accepted.json'),
      clock,
    }),
  });
  const key = new NodeKey(paths.keyFile, machine);
  await key.read();
  await seat?.start();
  return { machine, source, key, seat };
}
