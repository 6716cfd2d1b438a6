/**
 * How host0 gets into a node: SSH inside the mesh, with host0's own key, and only to whoever has the key that host0 made
 * for that node. Nothing of the user's SSH configuration, agent or known hosts takes part.
 */
import type { Ipv6 } from '../model/address/ipv6.ts';
import type { MachineId } from '../model/machine.ts';

export interface SshLogin {
  readonly machine: MachineId;
  /** In the mesh that nodes are managed in. */
  readonly ipv6: Ipv6;
  /** The file of host0's key (`commandKeyIn`). */
  readonly key: string;
  /** A file with the machine's `knownHostLine`. */
  readonly knownHosts: string;
}

/** On an idle mesh it takes a millisecond. */
const CONNECT_TIMEOUT_SEC = 5;
/** A node that says nothing for three times as long is gone. */
const ALIVE_INTERVAL_SEC = 5;
const ALIVE_COUNT = 3;

/**
 * The words of the command line.
 * @param command for the shell there
 * @param options of ssh's own, which come first: for ssh the first word on a matter is the last
 */
export function sshCommand(
  { machine, ipv6, key, knownHosts }: SshLogin,
  command: string,
  options: readonly string[] = [],
): string[] {
  const settings = sshSettings({
    BatchMode: 'yes',
    CheckHostIP: 'no',
    ClearAllForwardings: 'yes',
    ConnectTimeout: String(CONNECT_TIMEOUT_SEC),
    ForwardAgent: 'no',
    GlobalKnownHostsFile: 'none',
    HostKeyAlgorithms: 'ssh-ed25519',
    // A node is known by its machine id, wherever it is.
    HostKeyAlias: machine,
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    LogLevel: 'ERROR',
    PreferredAuthentications: 'publickey',
    ServerAliveCountMax: String(ALIVE_COUNT),
    ServerAliveInterval: String(ALIVE_INTERVAL_SEC),
    StrictHostKeyChecking: 'yes',
    UpdateHostKeys: 'no',
    UserKnownHostsFile: knownHosts,
  });
  return ['ssh', '-F', 'none', '-6', '-i', key, ...options, ...settings, '-l', 'root', ipv6, '--', command];
}

/** As `-o` options. */
export function sshSettings(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** @param hostKey as `hostKeyOf` has it */
export function knownHostLine(machine: MachineId, hostKey: string): string {
  return `${machine} ${hostKey}\n`;
}
