/** A tayga as a supervised process. */
import type { ProcessSpec } from '../process/process-spec.ts';
import type { SystemUser } from '../process/system-user.ts';

/** Where a tayga runs, and what it reads. */
export interface TaygaPlace {
  readonly name: string;
  /** The name of the network, for people. */
  readonly network: string;
  readonly netns: string;
  readonly configFile: string;
  /** Whom it becomes when it has opened its device. Absent: it stays root. */
  readonly user?: Pick<SystemUser, 'name' | 'group'>;
}

/**
 * The process. tayga has no reload: another configuration is another process. A restart on the same tun device loses a packet of
 * 2,500. With `-d` it stays in the foreground and tells its errors; without, they go to the system log alone. It has no sign of
 * readiness: what it says waits in its buffer until it ends. Its device has carrier from the moment at which it works.
 */
export function taygaProcess({ name, network, netns, configFile, user }: TaygaPlace): ProcessSpec {
  return {
    name,
    title: `tayga for ${network}`,
    argv: [
      ...(['tayga', '-d', '--config', configFile] as const),
      ...(user === undefined ? [] : ['--user', user.name, '--group', user.group]),
    ],
    netns,
  };
}
