/**
 * The ssh command line with which host0 logs in to a node: inside the mesh, with host0's own key, and only if the node
 * shows the host key that host0 made for it. The user's SSH configuration, agent and known hosts are not used.
 */
import type { Ipv6 } from '../model/address/ipv6.ts';
import { MeshError } from '../model/error.ts';
import type { MachineId } from '../model/machine.ts';

/** Where to log in, and with which keys. */
export interface SshLogin {
  readonly machine: MachineId;
  /** The node's address in the management mesh. */
  readonly ipv6: Ipv6;
  /** The file of host0's key (`commandKeyIn`). */
  readonly key: string;
  /** A file with the machine's `knownHostLine`. */
  readonly knownHosts: string;
}

/** Connecting takes a millisecond on an idle mesh. */
const CONNECT_TIMEOUT_SEC = 5;
/** ssh gives up after three keep-alives without an answer, 15 s. */
const ALIVE_INTERVAL_SEC = 5;
const ALIVE_COUNT = 3;

/**
 * The command line, as a list of arguments.
 * @param command for the node's shell
 * @param options further options of ssh. They come first, because ssh uses the first value that it finds for a setting
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
    // The node's line in the known hosts has its machine id, since its address may change.
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

/**
 * ssh settings as `-o NAME=VALUE` arguments: the one way in which text becomes a part of ssh's configuration.
 * @throws MESH_INTERNAL for a value that ssh would read as something else
 */
export function sshSettings(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${sshValue(value)}`]);
}

/** Without the quote, the backslash, and what ssh expands: `%d`, `${HOME}`. */
const SSH_VALUE = /^[^\p{C}"\\%$]+$/u;

function sshValue(value: string): string {
  if (SSH_VALUE.test(value)) return /\s/.test(value) ? `"${value}"` : value;
  throw new MeshError('MESH_INTERNAL', `${JSON.stringify(value.slice(0, 100))} cannot be a value of an ssh setting`);
}

/** The line for a known_hosts file. @param hostKey as hostKeyOf (machine-secrets.ts) returns it */
export function knownHostLine(machine: MachineId, hostKey: string): string {
  return `${machine} ${hostKey}\n`;
}
