/** `mesh node`: the nodes, and the machines that booted but are no nodes. */
import { Command } from 'commander';
import type { Context } from '../context.ts';
import { durationText } from '../print/duration.ts';
import { type Column, table } from '../print/table.ts';
import { nodeAdoptCommand } from './node-adopt.ts';
import { nodeBootCommand } from './node-boot.ts';
import { nodeBridgeNicCommand } from './node-bridge-nic.ts';
import { nodeCtlCommand } from './node-ctl.ts';
import { nodeEnrollCommand, nodeRevokeCommand } from './node-enroll.ts';
import { hardwareText, nodeInfoCommand } from './node-info.ts';
import { addressOf, fetchNodes, type ListedNode, lastSeenSecAgo, nodeStateText, secondsSince } from './node-list.ts';
import { nodeLogCommand } from './node-log.ts';
import { nodeLogviewCommand } from './node-logview.ts';
import { nodeOrphansCommand } from './node-orphans.ts';
import { nodePreviewCommand } from './node-preview.ts';
import { nodeRebootCommand } from './node-reboot.ts';
import { nodeRoleCommand } from './node-role.ts';

export function nodeCommand(context: Context): Command {
  const node = new Command('node');

  node
    .command('list')
    .alias('ls')
    .description('List the nodes, host0 first, and the machines that were seen but are no nodes')
    .addHelpText(
      'after',
      '\nA machine without a name is shown as unknown; `mesh node adopt` names it.\n\nExample:\n  $ mesh node list',
    )
    .action(async () => {
      const nodes = await fetchNodes(context);
      const columns = nodes.some(({ hardware }) => hardware !== undefined) ? [...COLUMNS, ...SEEN_COLUMNS] : COLUMNS;
      context.answer(nodes, () => table(nodes, columns, context.page) || 'No node is known yet.\n');
    });

  node.addCommand(nodeInfoCommand(context));
  node.addCommand(nodeAdoptCommand(context));
  node.addCommand(nodeEnrollCommand(context));
  node.addCommand(nodeRevokeCommand(context));
  node.addCommand(nodeOrphansCommand(context));
  node.addCommand(nodeRoleCommand(context));
  node.addCommand(nodePreviewCommand(context));
  node.addCommand(nodeBootCommand(context));
  node.addCommand(nodeBridgeNicCommand(context));
  node.addCommand(nodeCtlCommand(context));
  node.addCommand(nodeRebootCommand(context));
  node.addCommand(nodeLogCommand(context));
  node.addCommand(nodeLogviewCommand(context));
  return node;
}

const COLUMNS: readonly Column<ListedNode>[] = [
  { title: 'NAME', text: (node) => node.name ?? '-', flexible: true },
  { title: 'MACHINE', text: ({ machine }) => machine ?? '-' },
  { title: 'STATE', text: nodeStateText, tone: (node) => (node.online ? 'good' : stateToneOf(node)) },
  { title: 'IPV4', text: addressOf },
  { title: 'MESHES', text: ({ meshes }) => meshes.map(({ name }) => name).join(', '), flexible: true },
];

/** Added where host0's daemon answers: it has seen machines boot. */
const SEEN_COLUMNS: readonly Column<ListedNode>[] = [
  { title: 'HARDWARE', text: ({ hardware }) => (hardware && hardwareText(hardware.hardware)) || '-', flexible: true },
  { title: 'FIRST', text: ({ hardware }) => agoText(hardware && secondsSince(hardware.firstSeen)), align: 'right' },
  { title: 'LAST', text: (node) => agoText(lastSeenSecAgo(node)), align: 'right' },
];

function stateToneOf(node: ListedNode): 'warning' | 'bad' {
  return node.role === 'machine' && node.hardware?.boot?.state !== 'stuck' ? 'warning' : 'bad';
}

function agoText(seconds: number | undefined): string {
  return seconds === undefined ? '-' : durationText(seconds);
}
