/** The name that a machine goes by in member lists: that of `--name`, else its host name as far as it can be one. */

import type { Finding, HealthSource } from '../protocol/documents/finding.ts';
import { checkNodeName, NODE_NAME, NODE_NAME_MAX_LENGTH, nearestNodeName } from '../protocol/documents/membership.ts';

/** Where a process has its name from. */
export interface NodeNameInput {
  /** The value of `--name`. */
  readonly option?: string | undefined;
  /** Reads the host name as it is now: DHCP or an administrator may change it at any time. */
  readonly hostName: () => string;
  /** The process that has the name, in remedies. */
  readonly process: 'the agent' | "host0's daemon";
}

/** For a host name without a letter or digit, and for `(none)`, which Linux shows when no host name was set. */
const NAMELESS = 'node';

/** The name of a process for as long as the process runs, and what is wrong with it. */
export class NodeName implements HealthSource {
  readonly name: string;
  readonly #input: NodeNameInput;

  /** @throws MESH_USAGE for a `--name` that cannot stand in a member list */
  constructor(input: NodeNameInput) {
    this.#input = input;
    if (input.option !== undefined) checkNodeName(input.option);
    this.name = input.option ?? nameFrom(input.hostName());
  }

  /** A warning while the host name is another one than the name, or cannot be one. */
  health(): readonly Finding[] {
    const { option, hostName, process } = this.#input;
    const present = hostName();
    if (option !== undefined || present === this.name) return [];
    const common = { code: 'MESH_NODE_NAME', severity: 'warning', object: this.name } as const;
    const wanted = nameFrom(present);
    if (wanted !== this.name) {
      return [
        {
          ...common,
          message: `the host name is ${JSON.stringify(present)} now; here the node is still ${this.name}`,
          remedy: `Restart ${process}, which takes the host name when it starts.`,
        },
      ];
    }
    const given = process === 'the agent' ? ', or give the agent --name NAME' : '';
    return [
      {
        ...common,
        message: `the host name ${JSON.stringify(present)} cannot stand in a member list; here the node is ${this.name}`,
        remedy: `Give the machine a host name of at most ${NODE_NAME_MAX_LENGTH} letters, digits, dots and hyphens (\`hostnamectl hostname ${wanted}\`)${given}; then restart ${process}.`,
      },
    ];
  }
}

/** The host name, or the nearest name that can stand in a member list. */
function nameFrom(hostName: string): string {
  if (NODE_NAME.test(hostName)) return hostName;
  return hostName === '(none)' ? NAMELESS : (nearestNodeName(hostName) ?? NAMELESS);
}
