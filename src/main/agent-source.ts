/** Composes the source from which the agent of one machine learns its networks and their members. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SystemKernel } from '../agent/kernel/system-kernel.ts';
import { Host0Source } from '../agent/membership/host0-source.ts';
import { NodeSource, type NodeSourceInput } from '../agent/membership/node-source.ts';
import type { Source } from '../agent/membership/source.ts';
import { NetworkDirectory } from '../disk/network-directory.ts';
import { textOnDisk } from '../disk/state-file.ts';
import { permanentMacs } from '../kernel/rtnl/permanent-macs.ts';
import { host0Addresses } from '../machine/host0-addresses.ts';
import { machineId } from '../machine/machine-id.ts';
import { readSystemFile } from '../machine/system-file.ts';
import type { MachineWord } from '../model/machine.ts';
import type { Paths } from '../protocol/documents/paths.ts';

/** What the agent has before its source: name, clock, journal, kernel and transport. */
export interface AgentSourceInput
  extends Pick<NodeSourceInput, 'name' | 'instance' | 'clock' | 'journal' | 'echo' | 'transport'> {
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

/**
 * Opens the source: that of host0's agent with `--on-host0`, otherwise that of a node.
 * @returns the source, and the machine's id (on host0 the word `host0`), from which its mesh addresses are derived
 * @throws MESH_MACHINE_INVALID, MESH_MACHINE_UNREADABLE, MESH_MACHINE_NONE if a node has no usable id
 */
export async function openAgentSource(
  input: AgentSourceInput,
): Promise<{ readonly machine: MachineWord; readonly source: Source }> {
  const { clock, kernel, paths, options } = input;
  if (options['on-host0']) {
    return { machine: 'host0', source: new Host0Source({ ...input, controlSock: paths.controlSock }) };
  }
  const { id: machine } = machineId({
    root: options.root,
    env: process.env,
    permanentMacs: permanentMacs(await kernel.rtnl.links()),
    ...(options.machine !== undefined && { override: options.machine }),
  });
  const token = readSystemFile(paths.tokenFile);
  const source = new NodeSource({
    ...input,
    machine,
    ...(token !== undefined && { token }),
    host0: host0Addresses(options.host0, await readFile('/proc/cmdline', 'utf8')),
    lastKnown: textOnDisk(join(paths.state, 'members.json')),
    directory: new NetworkDirectory({
      directory: paths.nodeNetworks,
      stateFile: join(paths.state, 'networks.accepted.json'),
      clock,
    }),
  });
  return { machine, source };
}
