/** Starts and stops host0's daemon and the agent where they are services of systemd or OpenRC. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MeshError } from '../../model/error.ts';
import { type DaemonName, type ServiceManager, serviceName, TITLES } from '../../protocol/http/service-manager.ts';

const run = promisify(execFile);

/** A service manager that has commands to start and to stop. */
export type CommandedManager = Exclude<ServiceManager, 'init' | 'none'>;

/** The file with the options of the agent's service. */
export const OPTIONS_FILES: Record<CommandedManager, string> = {
  systemd: '/etc/default/meshwork',
  openrc: '/etc/conf.d/meshwork-agent',
};

/** Whether a service manager takes commands. */
export function isCommanded(manager: ServiceManager): manager is CommandedManager {
  return manager === 'systemd' || manager === 'openrc';
}

/** Starts the service. Whether its process then answers is not known yet. @throws MESH_PROCESS_NOT_STARTED */
export async function startService(manager: CommandedManager, daemon: DaemonName): Promise<void> {
  await command(manager, 'start', daemon, 'MESH_PROCESS_NOT_STARTED');
}

/** Stops the service, and resolves when its process has ended. @throws MESH_PROCESS_NOT_ENDED */
export async function stopService(manager: CommandedManager, daemon: DaemonName): Promise<void> {
  await command(manager, 'stop', daemon, 'MESH_PROCESS_NOT_ENDED');
}

async function command(
  manager: CommandedManager,
  verb: 'start' | 'stop',
  daemon: DaemonName,
  code: 'MESH_PROCESS_NOT_STARTED' | 'MESH_PROCESS_NOT_ENDED',
): Promise<void> {
  const service = serviceName(daemon);
  const [program, ...words] = manager === 'systemd' ? ['systemctl', verb, service] : ['rc-service', service, verb];
  try {
    await run(program, words);
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim().split('\n').at(-1) : '';
    throw new MeshError(code, `${manager} did not ${verb} ${TITLES[daemon]}${said ? `: ${said}` : ''}`, {
      operation: [program, ...words].join(' '),
      object: service,
      remedy: `See \`mesh system logview --process ${daemon}\`.`,
      cause,
    });
  }
}

/** Whether the service manager runs the service, or is about to run it again. */
export async function isWanted(manager: CommandedManager, daemon: DaemonName): Promise<boolean> {
  const service = serviceName(daemon);
  if (manager === 'openrc') {
    return await run('rc-service', [service, 'status']).then(
      () => true,
      () => false,
    );
  }
  return !['inactive', 'failed'].includes(await property(service, 'ActiveState'));
}

/** Whether the process of a service that was started has ended already: systemd starts it again, or has given up. */
export async function hasEnded(manager: CommandedManager, daemon: DaemonName): Promise<boolean> {
  if (manager === 'openrc') return !(await isWanted(manager, daemon));
  return ['auto-restart', 'failed', 'dead'].includes(await property(serviceName(daemon), 'SubState'));
}

async function property(service: string, name: string): Promise<string> {
  const { stdout } = await run('systemctl', ['show', '--property', name, '--value', service]);
  return stdout.trim();
}
