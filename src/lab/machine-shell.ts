/** Commands on the machines of a lab, from host0 over the mesh: SSH, with host0's own key and theirs. */
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { commandKeyIn, makeCommandKey } from '../image/command-key.ts';
import { hostKeyOf, secretsOf } from '../image/machine-secrets.ts';
import { pathsBelow } from '../protocol/paths.ts';
import type { LabHost } from './lab-host.ts';
import type { Echo } from './pairs.ts';

/** Makes the keys that host0 would make when the machines boot, and notes at host0 by which each is known. */
export async function makeKeys(host0: LabHost, machines: readonly LabHost[]): Promise<void> {
  const { state } = pathsBelow(host0.root);
  await makeCommandKey(state);
  for (const { machine, member } of machines) {
    await secretsOf(state, machine);
    appendFileSync(knownHosts(host0), `${member.ipv6} ${await hostKeyOf(state, machine)}\n`);
  }
}

/** What to run on host0 for `argv` to run on the machine. */
export function remotely(host0: LabHost, machine: LabHost, argv: readonly string[], terminal: boolean): string[] {
  const options = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: knownHosts(host0),
    LogLevel: 'ERROR',
    ConnectTimeout: '5',
    // An emulated machine takes long for a handshake; one is enough for many commands.
    ControlMaster: 'auto',
    ControlPath: connectionSocket(machine.root),
    ControlPersist: '20',
    ServerAliveInterval: '5',
    ServerAliveCountMax: '1',
  };
  return [
    ...['ssh', '-F', 'none', '-i', commandKeyIn(pathsBelow(host0.root).state), ...(terminal ? ['-t'] : [])],
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...[`root@${machine.member.ipv6}`, argv.map(quoted).join(' ')],
  ];
}

/** The connection that commands share leads to a machine that is not there any more. */
export function forgetConnection({ root }: LabHost): void {
  rmSync(connectionSocket(root), { force: true });
}

/** A machine's own pings. @param run runs a command on it */
export function remoteEcho(
  run: (argv: readonly string[]) => Promise<{ readonly code: number; readonly stdout: string }>,
): Echo {
  return {
    echo: async (to) => {
      const { code, stdout } = await run(['ping', '-c', '1', '-W', '1', to]);
      const ms = / time=([\d.]+) ms/.exec(stdout)?.[1];
      return code === 0 && ms !== undefined ? Number(ms) : undefined;
    },
    close: () => {},
  };
}

function connectionSocket(root: string): string {
  return join(root, 'ssh.sock');
}

function knownHosts({ root }: LabHost): string {
  return join(root, 'known_hosts');
}

function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
