/** The words that change one element of a network, in libvirt's XML. */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { definitionIn, isActiveView } from '../../protocol/documents/catalogue.ts';
import { host0Of, networkCalled } from './net-lookup.ts';
import { netSaid } from './net-text.ts';
import { given, type NetWord } from './net-word.ts';

/** libvirt's numbers (virNetworkUpdateCommand). */
const COMMANDS: ReadonlyMap<string, number> = new Map([
  ['modify', 1],
  ['delete', 2],
  ['add', 3],
  ['add-last', 3],
  ['add-first', 4],
]);

/** libvirt's numbers are the places in this list (virNetworkUpdateSection). */
const SECTIONS: readonly string[] = [
  'none',
  'bridge',
  'domain',
  'ip',
  'ip-dhcp-host',
  'ip-dhcp-range',
  'forward',
  'forward-interface',
  'forward-pf',
  'portgroup',
  'dns-host',
  'dns-txt',
  'dns-srv',
];

/** The table. */
export const UPDATE_WORDS: readonly NetWord[] = [
  {
    words: ['net-update'],
    description: 'Add, change or delete one element of a network, such as a host of its DHCP',
    args: [
      ['<network>', 'its name or UUID'],
      ['<command>', 'add, add-first, delete or modify'],
      ['<section>', 'where the element is: ip-dhcp-host, dns-host …'],
      ['<xml>', 'the element, or its file'],
    ],
    options: [
      ['--parent-index <number>', 'which <ip> of the document, from 0 on'],
      ['--live', 'where the network runs'],
      ['--config', 'in its definition'],
      ['--current', 'where it runs; in its definition, if it does not'],
    ],
    does: async (context, args, options) => {
      const command = COMMANDS.get(given(args, 1));
      const section = SECTIONS.indexOf(given(args, 2));
      if (command === undefined) throw unknown(given(args, 1), [...COMMANDS.keys()]);
      if (section < 1) throw unknown(given(args, 2), SECTIONS.slice(1));
      const [{ parseUpdateXml }, xml] = await Promise.all([
        import('../../formats/xml/network-update.ts'),
        elementIn(given(args, 3)),
      ]);
      const parentIndex = Number(options.parentIndex ?? -1);
      const change = parseUpdateXml({ command, section, parentIndex, xml });
      const view = await networkCalled(context, given(args));
      const isNeither = options.live !== true && options.config !== true;
      const forms = [
        {
          live: true,
          config: false,
          network: view.network,
          isMeant: options.live === true || (isNeither && isActiveView(view)),
        },
        {
          live: false,
          config: true,
          network: definitionIn(view),
          isMeant: options.config === true || (isNeither && !isActiveView(view)),
        },
      ].filter(({ isMeant }) => isMeant);
      // Both are judged before one of them is changed.
      const changed = forms.map(({ network, ...form }) => ({ ...form, body: partsOf(change(network)) }));
      const host0 = host0Of(context);
      const path = { name: view.network.id };
      const done = [];
      for (const { live, config, body } of changed)
        done.push(await host0.ask('PATCH /v1/catalogue/{name}/forms', { path, query: { live, config }, body }));
      const where = options.config === true && options.live !== true ? 'persistent config' : 'live state';
      const said = options.config === true && options.live === true ? 'persistent config and live state' : where;
      context.answer(done, () =>
        netSaid(`Updated network ${view.network.name} ${isActiveView(view) ? said : 'persistent config'}`),
      );
    },
  },
];

/** The parts that an update can change. */
function partsOf({ type, subnets, dns, guests, extra }: Network): Readonly<Record<string, unknown>> {
  return { type, subnets, extra, ...(dns !== undefined && { dns }), ...(guests !== undefined && { guests }) };
}

async function elementIn(text: string): Promise<string> {
  if (text.trimStart().startsWith('<')) return text;
  const { readTextFile } = await import('../network/network-input.ts');
  return readTextFile(text);
}

function unknown(word: string, words: readonly string[]): MeshError {
  return new MeshError('MESH_USAGE', `${JSON.stringify(word)} is none of the words here`, {
    remedy: `Write one of ${words.join(', ')}`,
  });
}
