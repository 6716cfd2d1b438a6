/**
 * Who starts and ends host0's daemon and the agent on a machine. Where the package's services are, systemd or OpenRC does;
 * on a node that host0 booted, its init; elsewhere `mesh system start`. A remedy that names another command would have two
 * of them fight over one process.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The two long-running processes. */
export type DaemonName = 'host0' | 'agent';

/** The two processes in sentences. */
export const TITLES = { host0: "host0's daemon", agent: 'the agent' } as const satisfies Record<DaemonName, string>;

/** What starts a process again when it has ended. `none`: only people do. */
export type ServiceManager = 'systemd' | 'openrc' | 'init' | 'none';

/** Where systemd looks for units (systemd.unit(5)). */
const UNIT_DIRECTORIES = ['etc', 'run', 'usr/local/lib', 'usr/lib', 'lib'].map((parent) => `${parent}/systemd/system`);
/** Its init is told to keep the agent running (image/node/scripts/inittab). */
const BOOTED_NODE = 'usr/lib/meshwork/boot/agent';

/** The file that a running process has locked, with its pid. It is in the state directory: in /run, people tidy up. */
export function lockPath(state: string, daemon: DaemonName): string {
  return join(state, `${daemon}.lock`);
}

/** The name of the service of a process, for systemctl, journalctl and rc-service. */
export function serviceName(daemon: DaemonName): string {
  return `meshwork-${daemon}`;
}

/**
 * The service manager that a process belongs to on the machine whose files are below `root`.
 * @param system the root of the machine itself; a test gives another
 */
export function serviceManager(daemon: DaemonName, root: string, system = '/'): ServiceManager {
  // A service of the machine does not run with the files of a lab's host.
  if (root !== system) return 'none';
  const has = (path: string) => existsSync(join(system, path));
  if (has('run/systemd/system') && UNIT_DIRECTORIES.some((path) => has(`${path}/${serviceName(daemon)}.service`))) {
    return 'systemd';
  }
  if (has('run/openrc/softlevel') && has(`etc/init.d/${serviceName(daemon)}`)) return 'openrc';
  return daemon === 'agent' && has(BOOTED_NODE) ? 'init' : 'none';
}

/** The command that ends a process. */
export function stopCommand(daemon: DaemonName, root: string, system = '/'): string {
  const service = serviceName(daemon);
  switch (serviceManager(daemon, root, system)) {
    case 'systemd':
      return `\`systemctl stop ${service}\``;
    case 'openrc':
      return `\`rc-service ${service} stop\``;
    case 'init':
    case 'none':
      return '`mesh system stop`';
  }
}

/**
 * The command that starts a running process anew, so that the process reads its settings again.
 * @param pid the process; a person may have started it although a service manager is there
 */
export function restartCommand(daemon: DaemonName, root: string, pid: number): string {
  const service = serviceName(daemon);
  switch (root === '/' ? managerOfProcess(pid, daemon) : 'none') {
    case 'systemd':
      return `\`systemctl restart ${service}\``;
    case 'openrc':
      return `\`rc-service ${service} restart\``;
    case 'init':
    case 'none':
      return '`mesh system stop`, then `mesh system start`';
  }
}

/** What to do about a process that does not run, as a sentence. */
export function startRemedy(daemon: DaemonName, root: string, system = '/'): string {
  const log = `\`mesh system logview --process ${daemon}\` shows why it ended.`;
  switch (serviceManager(daemon, root, system)) {
    case 'systemd': {
      const verb = isEnabled(daemon, system) ? 'start' : 'enable --now';
      return `Start it with \`systemctl ${verb} ${serviceName(daemon)}\`; ${log}`;
    }
    case 'openrc':
      return `Start it with \`rc-service ${serviceName(daemon)} start\`; ${log}`;
    case 'init':
      return `init starts it again within seconds; ${log}`;
    case 'none':
      return `Start it with \`mesh system start\`, or in the foreground with \`${FOREGROUND[daemon]}\`.`;
  }
}

const FOREGROUND: Record<DaemonName, string> = { host0: 'mesh system run', agent: 'mesh agent run' };

function isEnabled(daemon: DaemonName, system: string): boolean {
  return existsSync(join(system, `etc/systemd/system/multi-user.target.wants/${serviceName(daemon)}.service`));
}

/** The service manager that a running process belongs to, whatever is installed. */
export function managerOfProcess(pid: number, daemon: DaemonName): ServiceManager {
  const service = serviceName(daemon);
  // proc_pid_cgroup(5): `0::/system.slice/meshwork-agent.service`; OpenRC calls the group `openrc.meshwork-agent`.
  const cgroups = textOf(`/proc/${pid}/cgroup`);
  if (cgroups.includes(`/${service}.service`)) return 'systemd';
  const parent = /^PPid:\t(\d+)$/m.exec(textOf(`/proc/${pid}/status`))?.[1];
  const starter = parent === undefined ? '' : textOf(`/proc/${parent}/comm`).trim();
  // The kernel cuts names off after 15 bytes.
  if (cgroups.includes(`/openrc.${service}`) || starter === 'supervise-daemo') return 'openrc';
  return 'none';
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
