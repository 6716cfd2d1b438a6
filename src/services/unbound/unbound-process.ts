/** An unbound as a supervised process. */
import type { ProcessSpec } from '../process/process-spec.ts';

/** Where an unbound runs, and what it reads. */
export interface UnboundPlace {
  readonly name: string;
  /** The name of the network, for people. */
  readonly network: string;
  readonly netns: string;
  readonly configFile: string;
}

/** The process. */
export function unboundProcess({ name, network, netns, configFile }: UnboundPlace): ProcessSpec {
  return {
    name,
    title: `unbound for ${network}`,
    argv: ['unbound', '-d', '-p', `-c${configFile}`],
    netns,
    readiness: { kind: 'line', text: 'start of service' },
  };
}
