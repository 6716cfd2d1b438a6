/** The words that show networks: lists, properties, documents, leases. */
import type { Network } from '../../model/network/network.ts';
import {
  type CatalogueView,
  isActiveView,
  isPersistentView,
  startsAtBoot,
} from '../../protocol/documents/catalogue.ts';
import type { Context } from '../context.ts';
import { networkDocument } from './net-document.ts';
import { host0Of, type NetChoice, networkCalled, networksChosen, onlyNetwork } from './net-lookup.ts';
import { netProperties, netSaid, netTable, yesOrNo } from './net-text.ts';
import { given, type NetWord, type WordOptions } from './net-word.ts';

const NETWORK = ['<network>', 'its name or UUID'] as const;

/** The table. */
export const SHOW_WORDS: readonly NetWord[] = [
  {
    words: ['net-list', 'network-list'],
    description: 'List the networks that run',
    args: [],
    options: [
      ['--inactive', 'those that do not run'],
      ['--all', 'both'],
      ['--persistent', 'only those that are defined'],
      ['--transient', 'only those that are not'],
      ['--autostart', 'only those that a boot starts'],
      ['--no-autostart', 'only those that no boot starts'],
      ['--uuid', 'a UUID a line'],
      ['--name', 'a name a line'],
      ['--table', 'a table, as without an option'],
      ['--title', 'the table with titles'],
    ],
    does: async (context, _, options) => {
      const views = await networksChosen(context, choiceIn(options));
      if (context.json) return context.answer(views, () => '');
      if (options.uuid || options.name) {
        const lines = await linesOf(context, views, options);
        return context.answer(views, () => lines);
      }
      const titles = ['Name', 'State', 'Autostart', 'Persistent', ...(options.title ? ['Title'] : [])];
      const rows = views.map((view) => [
        view.network.name,
        isActiveView(view) ? 'active' : 'inactive',
        yesOrNo(startsAtBoot(view)),
        yesOrNo(isPersistentView(view)),
        ...(options.title ? [view.network.title ?? ''] : []),
      ]);
      context.answer(views, () => netTable(titles, rows));
    },
  },
  {
    words: ['net-info'],
    description: 'Show what is so of a network',
    args: [NETWORK],
    does: async (context, args) => {
      const view = await networkCalled(context, given(args));
      const { network, uuid } = view;
      const rows = [
        ['Name', network.name],
        ['UUID', uuid],
        ['Active', yesOrNo(isActiveView(view))],
        ['Persistent', yesOrNo(isPersistentView(view))],
        ['Autostart', yesOrNo(startsAtBoot(view))],
        ['Bridge', bridgeOf(network)],
      ] as const;
      context.answer(view, () => netProperties(rows));
    },
  },
  {
    words: ['net-dumpxml'],
    description: 'Print the document of a network',
    args: [NETWORK],
    options: [['--inactive', 'as it is defined, and not as it runs']],
    does: async (context, args, { inactive = false }) =>
      dump(context, await networkCalled(context, given(args)), { inactive: inactive === true }),
  },
  {
    words: ['network-dumpxml'],
    description: 'Print the document of the only network, or of the one that is named',
    args: [['[network]', 'its name or UUID']],
    does: async (context, [name]) =>
      dump(context, await (name === undefined ? onlyNetwork(context) : networkCalled(context, name)), {}),
  },
  {
    words: ['net-uuid'],
    description: 'Print the UUID of a network',
    args: [['<network>', 'its name']],
    does: async (context, args) => {
      const { uuid = '' } = await networkCalled(context, given(args));
      context.answer({ uuid }, () => netSaid(uuid));
    },
  },
  {
    words: ['net-name'],
    description: 'Print the name of a network',
    args: [['<network>', 'its UUID']],
    does: async (context, args) => {
      const { name } = (await networkCalled(context, given(args))).network;
      context.answer({ name }, () => netSaid(name));
    },
  },
  {
    words: ['net-dhcp-leases'],
    description: 'List the addresses that DHCP has given to guests of a network',
    args: [NETWORK],
    options: [['--mac <mac>', 'only those of this Ethernet address']],
    does: async (context, args, { mac }) => {
      const answer = await host0Of(context).ask('GET /v1/catalogue/{name}/leases', { path: { name: given(args) } });
      const leases = answer.leases.filter((lease) => mac === undefined || lease.mac === String(mac).toLowerCase());
      const rows = leases.map((lease) => [
        lease.expires === undefined ? '-' : timeText(lease.expires),
        lease.mac ?? '-',
        lease.address.includes(':') ? 'ipv6' : 'ipv4',
        lease.address,
        lease.name ?? '-',
        lease.duid ?? '-',
      ]);
      const titles = ['Expiry Time', 'MAC address', 'Protocol', 'IP address', 'Hostname', 'Client ID or DUID'];
      context.answer({ ...answer, leases }, () => netTable(titles, rows));
    },
  },
];

async function dump(context: Context, view: CatalogueView, form: { readonly inactive?: boolean }): Promise<void> {
  const text = await networkDocument(view, form);
  context.answer(view, () => `${text}\n`);
}

/** The bridge that guests are plugged into, Meshwork's own or another program's. */
function bridgeOf({ bridge, type }: Network): string | undefined {
  return bridge?.name ?? (type.kind === 'foreign-bridge' ? type.name : undefined);
}

async function linesOf(context: Context, views: readonly CatalogueView[], options: WordOptions): Promise<string> {
  const lines: string[] = [];
  for (const { network } of views) {
    const uuid = options.uuid ? (await networkCalled(context, network.id)).uuid : undefined;
    lines.push([uuid, options.name ? network.name : undefined].filter((part) => part !== undefined).join(' '));
  }
  return `${lines.map((line) => `${line}\n`).join('')}\n`;
}

function choiceIn(options: WordOptions): NetChoice {
  // commander makes `autostart: false` of `--no-autostart`.
  const { autostart } = options;
  return {
    inactive: options.inactive === true,
    all: options.all === true,
    persistent: options.persistent === true,
    transient: options.transient === true,
    autostart: autostart === true,
    noAutostart: autostart === false,
  };
}

/** `2026-12-01 08:15:00`, in the time zone of this process. */
function timeText(time: string): string {
  const date = new Date(time);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}
