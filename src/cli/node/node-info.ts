/** `mesh node info`: one node with its addresses, its hardware, and its last boot. */
import { Command } from 'commander';
import type { Inventory } from '../../protocol/documents/inventory.ts';
import type { CardView, MachineView } from '../../protocol/documents/machine-view.ts';
import type { NodeView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import { bytesText } from '../print/bytes.ts';
import { channelText } from '../print/channel-text.ts';
import { durationText } from '../print/duration.ts';
import { stateText, stateTone } from '../print/network-state.ts';
import { properties } from '../print/properties.ts';
import { type Column, table } from '../print/table.ts';
import { addressOf, fetchNodes, findNode, type ListedNode, nodeStateText, secondsSince } from './node-list.ts';

type NodeMesh = NodeView['meshes'][number];

/** `mesh node info`: on host0 with hardware and boots, elsewhere only what the member lists have. */
export function nodeInfoCommand(context: Context): Command {
  return new Command('info')
    .description('Show one node: its addresses, its hardware, and how its last boot went')
    .argument('<node>', 'its name or its machine id')
    .addHelpText('after', '\nExamples:\n  $ mesh node info node1\n  $ mesh node info 10eff964')
    .action(async (wanted: string) => {
      const found = findNode(await fetchNodes(context), wanted);
      context.answer(found, () => nodeText(found, context));
    });
}

const MESH_COLUMNS: readonly Column<NodeMesh>[] = [
  { title: 'MESH', text: (mesh) => mesh.name },
  {
    title: 'STATE',
    text: ({ state }) => (state === undefined ? '-' : stateText(state)),
    flexible: true,
    tone: ({ state }) => state && stateTone(state),
  },
  { title: 'MAC', text: (mesh) => mesh.mac },
  { title: 'IPV6', text: (mesh) => mesh.ipv6 },
];

interface Part {
  readonly name: string;
  readonly what: string;
  readonly more: string;
}

const PART_COLUMNS: readonly Column<Part>[] = [
  { title: 'PART', text: ({ name }) => name },
  { title: 'WHAT', text: ({ what }) => what, flexible: true },
  { title: 'WHERE', text: ({ more }) => more, flexible: true },
];

function nodeText(node: ListedNode, context: Context): string {
  const { hardware } = node;
  const about = properties(
    [
      ['node', node.name ?? `not named: mesh node adopt ${node.machine} NAME`],
      ['machine', node.machine],
      ['role', node.role],
      ['state', nodeStateText(node)],
      ['channel', node.role === 'machine' ? undefined : node.channel && channelText(node.channel)],
      ['ipv4', node.role === 'machine' ? undefined : addressOf(node)],
      ...(hardware === undefined ? [] : hardwareTexts(hardware)),
    ],
    context.paint,
  );
  const parts = hardware === undefined ? '' : table(partsOf(hardware), PART_COLUMNS, context.page);
  const meshes = table(node.meshes, MESH_COLUMNS, context.page);
  return [about, meshes, parts].filter((text) => text !== '').join('\n');
}

function hardwareTexts({
  hardware,
  firstSeen,
  lastBoot,
  boot,
  inventory,
}: MachineView): [string, string | undefined][] {
  const ago = (time: string) => `${durationText(secondsSince(time))} ago`;
  return [
    ['hardware', hardwareText(hardware) || undefined],
    ['serial', hardware.serial],
    ['cpu', inventory && cpuText(inventory.cpu)],
    ['memory', inventory && bytesText(inventory.memoryBytes, 1024)],
    // Disks that exist are in the table of parts.
    ['disks', inventory?.disks.length === 0 ? 'none' : undefined],
    ['first seen', ago(firstSeen)],
    [
      'last boot',
      lastBoot === undefined ? 'not from this host0' : `${ago(lastBoot)}${boot ? `: ${bootText(boot)}` : ''}`,
    ],
    ['remedy', boot?.trouble?.remedy],
  ];
}

/** Manufacturer and product, such as `Dell Inc. PowerEdge R620`; empty if neither is known. */
export function hardwareText({ manufacturer, product }: MachineView['hardware']): string {
  return [manufacturer, product].filter((word) => word !== undefined).join(' ');
}

function bootText({ state, stage, ageMs, trouble }: NonNullable<MachineView['boot']>): string {
  if (state === 'member') return `a member after ${(ageMs / 1000).toFixed(1)} s`;
  return trouble === undefined ? `${state}, ${stage}` : `${state} in ${stage}: ${trouble.cause}`;
}

function cpuText({ model = 'unnamed', threads, cores }: Inventory['cpu']): string {
  const ofCores = cores === undefined || cores === threads ? '' : `${cores} ${cores === 1 ? 'core' : 'cores'}, `;
  return `${model}, ${ofCores}${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}

function partsOf({ inventory, cards }: MachineView): readonly Part[] {
  const nics = inventory?.nics ?? [];
  const listed = new Set(nics.map(({ mac }) => mac));
  const segmentStateOf = (mac: string) => segmentText(cards.find((card) => card.mac === mac)?.segment);
  return [
    ...(inventory?.disks ?? []).map(({ name, bytes, rotates, model }) => ({
      name,
      what: [bytesText(bytes, 1000), kindOfDisk(name, rotates), model ?? ''].join(' ').trim(),
      more: '',
    })),
    ...nics.map(({ name, mac, driver = '' }) => ({ name, what: `${mac} ${driver}`.trim(), more: segmentStateOf(mac) })),
    ...cards
      .filter(({ mac }) => !listed.has(mac))
      .map(({ mac, segment }) => ({ name: 'card', what: mac, more: segmentText(segment) })),
  ];
}

/** Linux calls every disk of virtio rotating, since nobody has told it otherwise. */
function kindOfDisk(name: string, rotates: boolean): string {
  if (name.startsWith('vd')) return 'virtual';
  return rotates ? 'rotating' : 'solid';
}

function segmentText(segment: CardView['segment']): string {
  return segment === undefined ? '' : `on the segment of host0's ${segment.join(', ')}`;
}
