/** Which nodes a network spans: they hold it without a port, too. */
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkSpan } from '../../model/network/network.ts';

/** A node, as spans name nodes. */
export interface SpannedNode {
  readonly machine: MachineWord;
  readonly name: string;
  readonly roles: readonly string[];
}

/** Whether a network spans a node. One with the span `file` or `on-demand` spans none by itself. */
export function spans(span: NetworkSpan, { machine, name, roles }: SpannedNode): boolean {
  switch (span.kind) {
    case 'everywhere':
      return true;
    case 'nodes':
      return span.nodes.some((node) => node === name || node === machine);
    case 'roles':
      return span.roles.some((role) => roles.includes(role));
    case 'file':
    case 'on-demand':
      return false;
  }
}
