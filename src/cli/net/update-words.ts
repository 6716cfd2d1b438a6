/** The words that change one element of a network, in libvirt's XML. */
import { MeshError } from '../../model/error.ts';
import { host0Of, networkCalled } from './net-lookup.ts';
import { netSaid } from './net-text.ts';
import { given, type NetWord, type WordOptions, whereIn } from './net-word.ts';

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
      const parentIndex = numberIn(options.parentIndex);
      const body = { command, section, parentIndex, xml: await elementIn(given(args, 3)) };
      const { network, activity } = await networkCalled(context, given(args));
      // host0 reads the element and changes the network in one step: nobody else changes the network between the two.
      const question = { path: { name: network.id }, query: whereIn(options), body };
      const done = await host0Of(context).ask('POST /v1/catalogue/{name}/elements', question);
      const where = options.config === true && options.live !== true ? 'persistent config' : 'live state';
      const said = options.config === true && options.live === true ? 'persistent config and live state' : where;
      const isActive = activity.phase === 'active';
      context.answer(done, () => netSaid(`Updated network ${network.name} ${isActive ? said : 'persistent config'}`));
    },
  },
];

function numberIn(value: WordOptions[string]): number {
  if (value === undefined) return -1;
  if (/^\d{1,4}$/.test(String(value))) return Number(value);
  throw new MeshError('MESH_USAGE', `${JSON.stringify(value)} is not the number of an <ip>`, {
    remedy: 'Write `--parent-index 0` for the first',
  });
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
