/** How a radvd runs. */
import { boundedArgv } from '../process/bounded-start.ts';
import type { ProcessSpec } from '../process/process-spec.ts';
import type { SystemUser } from '../process/system-user.ts';

/** What tells one radvd from others. */
export interface RadvdPlace {
  /** Name of the process. */
  readonly name: string;
  /** Name of the network, for people. */
  readonly network: string;
  /** Path of the namespace in which it advertises. */
  readonly netns: string;
  readonly configFile: string;
  /** radvd locks this file, and removes it when it ends. */
  readonly pidFile: string;
  /** Whom it becomes from its start: a user who can write the pid file. Absent: root. */
  readonly user?: Pick<SystemUser, 'uid' | 'gid'>;
}

/** It sends and hears ICMPv6. What it would set in the kernel, such as the MTU of its own link, has been set. */
const CAPABILITIES = ['net_raw'] as const;

/**
 * The process. It is ready when it waits for its next advertisement: a SIGHUP before would end it.
 * @returns the process without what it reads
 */
export function radvdProcess({ name, network, netns, configFile, pidFile, user }: RadvdPlace): ProcessSpec {
  const files = [`--config=${configFile}`, `--pidfile=${pidFile}`] as const;
  const argv = ['radvd', '--nodaemon', '--debug=1', '--logmethod=stderr', ...files] as const;
  return {
    name,
    title: `radvd for ${network}`,
    argv: user === undefined ? argv : boundedArgv(argv, user, CAPABILITIES),
    netns,
    readiness: { kind: 'line', text: 'polling for' },
    remedies: [{ says: 'failed to execute radvd', remedy: 'Install radvd, or repair the installation.' }],
  };
}
