/** How a radvd runs. */
import type { ProcessSpec } from '../process/process-spec.ts';

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
}

/**
 * The process. It is ready when it waits for its next advertisement: a SIGHUP before would end it.
 * @returns the process without what it reads
 */
export function radvdProcess({ name, network, netns, configFile, pidFile }: RadvdPlace): ProcessSpec {
  return {
    name,
    title: `radvd for ${network}`,
    argv: ['radvd', '--nodaemon', '--debug=1', '--logmethod=stderr', `--config=${configFile}`, `--pidfile=${pidFile}`],
    netns,
    readiness: { kind: 'line', text: 'polling for' },
  };
}
