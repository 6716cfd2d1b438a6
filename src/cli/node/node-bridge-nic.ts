/** `mesh node bridge-nic`: a network card goes under a bridge that takes over its addresses, and guests share the card. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { BridgedNics, type BridgeOrder, type BridgePlan } from '../../bridging/bridged-nic.ts';
import { NETWORK_TOOLS, type NicRecord, secondsLeft, type Tool } from '../../bridging/nic-record.ts';
import { commandDirectory } from '../../image/node/program-files.ts';
import { requireRoot } from '../../kernel/root.ts';
import { MeshError } from '../../model/error.ts';
import { visibleLines } from '../../protocol/documents/terminal-text.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../print/number-option.ts';
import { withProgress } from '../print/progress.ts';

interface Options {
  readonly name?: string;
  readonly keepName?: boolean;
  readonly within: number;
  readonly tool?: Tool;
  readonly plan?: boolean;
  readonly dryRun?: boolean;
  readonly confirm?: boolean;
  readonly undo?: boolean;
  readonly forget?: boolean;
  readonly watch?: boolean;
}

const WITHIN_SEC = { normal: 60, least: 5, most: 3600 };

export function nodeBridgeNicCommand(context: Context): Command {
  return new Command('bridge-nic')
    .description('Put a network card under a bridge that takes over its addresses, so that guests share the card')
    .argument('<card>', 'the network card, such as eth0')
    .option('--name <bridge>', 'the name of the bridge; br0 by default')
    .option('--keep-name', 'the bridge takes the name of the card, and the card gets a `p` before its own: peth0')
    .addOption(
      new Option('--within <seconds>', 'how long the bridge waits for --confirm before the card goes back')
        .argParser(wholeNumber(WITHIN_SEC.least, WITHIN_SEC.most))
        .default(WITHIN_SEC.normal),
    )
    .addOption(new Option('--tool <tool>', 'what configures the card; found by default').choices(NETWORK_TOOLS))
    .option('--plan', 'show what would be done, and do nothing')
    .option('--dry-run', 'the same as --plan')
    .option('--confirm', 'keep the bridge of the card, also after a restart')
    .option('--undo', 'take the card out from under its bridge again')
    .option('--forget', 'forget the bridge of the card without changing anything')
    .addOption(new Option('--watch', 'bring the card back in time').hideHelp())
    .addHelpText(
      'after',
      '\nThe card goes back by itself unless the bridge is confirmed in time, also if this command is killed. A\n' +
        'restart of the machine brings the old state, too: files are written only by --confirm.\n' +
        '\nExamples:\n  $ mesh node bridge-nic eth0 --plan\n  $ mesh node bridge-nic eth0 --name br0\n' +
        '  $ mesh node bridge-nic eth0 --confirm\n  $ mesh node bridge-nic eth0 --keep-name --within 120\n' +
        '  $ mesh node bridge-nic eth0 --undo',
    )
    .action((card: string, options: Options) => bridgeNic(context, card, options));
}

async function bridgeNic(context: Context, card: string, options: Options): Promise<void> {
  requireRoot('put a card under a bridge', 'The addresses and routes of the machine move.');
  const { root } = context.paths;
  const mesh = join(commandDirectory, 'mesh');
  const nics = new BridgedNics(context.paths, (name) => [mesh, '--root', root, 'node', 'bridge-nic', name, '--watch']);
  mustBeOne(options);
  if (options.watch) return await nics.watch(card);
  if (options.forget) {
    await nics.forget(card);
    return context.answer({ card, forgotten: true }, () => visibleLines(`The bridge of ${card} is forgotten.\n`));
  }
  if (options.confirm) {
    const record = await withProgress(context.stderr, 'Writing the files of the bridge', nics.confirm(card));
    return context.answer(recordView(record), () => visibleLines(keptText(record)));
  }
  if (options.undo) {
    const record = await withProgress(context.stderr, `Bringing ${card} back`, nics.undo(card));
    return context.answer(recordView(record), () =>
      visibleLines(`${card} is as before, with all that ${record.bridge} had.\n`),
    );
  }
  const order: BridgeOrder = {
    card,
    name: options.keepName ? 'kept' : { name: options.name ?? 'br0' },
    withinSec: options.within,
    ...(options.tool !== undefined && { tool: options.tool }),
  };
  if (options.plan || options.dryRun) {
    const plan = await nics.plan(order);
    return context.answer(planView(plan), () => visibleLines(planText(plan, order.withinSec)));
  }
  const plan = await withProgress(context.stderr, `Moving the addresses of ${card}`, nics.start(order));
  context.answer(planView(plan), () => visibleLines(plan.printed.length > 0 ? printedText(plan) : trialText(plan)));
}

/** @throws MESH_USAGE */
function mustBeOne({ confirm, undo, forget, plan, dryRun, name, keepName }: Options): void {
  const chosen = [confirm && '--confirm', undo && '--undo', forget && '--forget', (plan || dryRun) && '--plan'].filter(
    Boolean,
  );
  if (chosen.length > 1) {
    throw new MeshError('MESH_USAGE', `${chosen.join(' and ')} exclude each other`, { remedy: 'Give one of them.' });
  }
  if (keepName && name !== undefined) {
    throw new MeshError('MESH_USAGE', '--name and --keep-name exclude each other', {
      rule: 'With --keep-name the bridge has the name of the card.',
      remedy: 'Give one of them.',
    });
  }
}

function recordView({ card, cardAfter, bridge, phase, tool, mac, steps, why }: NicRecord) {
  const files = [...new Set(steps.map(({ path }) => path))];
  return { card, cardAfter, bridge, mac, phase, tool, files, ...(why !== undefined && { why }) };
}

function planView({ record, printed, addresses, routes, clients, warnings }: BridgePlan) {
  return {
    ...recordView(record),
    addresses,
    routes,
    clients,
    warnings,
    ...(printed.length > 0 && { printed }),
    ...(record.steps.length > 0 && { writes: record.steps }),
    ...(record.phase === 'trial' && { secondsLeft: Math.round(secondsLeft(record)) }),
  };
}

function planText(plan: BridgePlan, withinSec: number): string {
  if (plan.printed.length > 0) return printedText(plan);
  const { record, addresses, routes, clients, warnings } = plan;
  const { card, cardAfter, bridge, mac, steps, tool } = record;
  const first =
    cardAfter === card
      ? [`ip link add name ${bridge} address ${mac} type bridge`]
      : [`ip link set dev ${card} name ${cardAfter}`, `ip link add name ${bridge} address ${mac} type bridge`];
  return [
    'Now, in one batch:',
    ...first.map((line) => `  ${line}`),
    `  ip link set dev ${cardAfter} master ${bridge}`,
    ...addresses.map((address) => `  ip address add ${address} dev ${bridge}`),
    `  ${routes} routes by ${card} lead by ${bridge}`,
    ...clients.map((client) => `  ${client} starts again on ${bridge}`),
    `The card goes back after ${withinSec} s, unless \`mesh node bridge-nic ${card} --confirm\` comes before.`,
    ...(steps.length === 0 ? [] : [`By --confirm, for ${tool}:`, ...steps.map(({ path }) => `  write ${path}`)]),
    ...steps.slice(-1).flatMap(({ text = '' }) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => `  | ${line}`),
    ),
    ...warnings.map((warning) => `Note: ${warning}`),
    '',
  ].join('\n');
}

function trialText({ record, addresses, warnings }: BridgePlan): string {
  const { card, cardAfter, bridge } = record;
  return [
    `${cardAfter} is a port of ${bridge} now, and ${bridge} has its ${addresses.length} addresses.`,
    ...warnings.map((warning) => `Note: ${warning}`),
    `It goes back in ${Math.round(secondsLeft(record))} s.`,
    `Next: mesh node bridge-nic ${card} --confirm`,
    '',
  ].join('\n');
}

function keptText({ cardAfter, bridge, tool, steps }: NicRecord): string {
  const files = [...new Set(steps.map(({ path }) => path))];
  const lasting =
    files.length === 0
      ? 'until the machine is restarted'
      : `also after a restart: ${tool} has it from ${files.join(', ')}`;
  return `${bridge} keeps ${cardAfter}, ${lasting}.\n`;
}

function printedText({ record, printed }: BridgePlan): string {
  return [
    `Nothing is changed: ${record.tool} configures ${record.card}, and its files are yours to write.`,
    ...printed.flatMap(({ path, text }) => [`# ${path}`, text.trimEnd(), '']),
    `Then restart the machine, or let ${record.tool} read the files.`,
    '',
  ].join('\n');
}
