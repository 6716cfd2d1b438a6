/** The words that change networks. `create` starts a transient network, and `destroy` stops one, as in virsh. */
import { MeshError } from '../../model/error.ts';
import type { CatalogueChange } from '../../protocol/documents/catalogue.ts';
import type { Context } from '../context.ts';
import { host0Of, networkCalled } from './net-lookup.ts';
import { netSaid } from './net-text.ts';
import { given, type NetWord, whereIn } from './net-word.ts';

const NETWORK = ['<network>', 'its name or UUID'] as const;
const FILE = ['<file>', 'a document; - is standard input'] as const;
const VALIDATE = ['--validate', 'refuse what the form of such documents does not have'] as const;
const WHERE: NetWord['options'] = [
  ['--live', 'where the network runs'],
  ['--config', 'in its definition'],
  ['--current', 'where it runs; in its definition, if it does not'],
];

/** The table. */
export const CHANGE_WORDS: readonly NetWord[] = [
  {
    words: ['net-define', 'network-define'],
    description: 'Define a network as a document says, without starting it',
    args: [FILE],
    options: [VALIDATE],
    does: async (context, args, { validate = false }) => {
      const { order: body, source } = await documentIn(given(args), validate === true);
      const done = await host0Of(context).ask('PUT /v1/definitions', { body, query: { source } });
      said(context, done, ({ name }) => `Network ${name} defined from ${given(args)}`);
    },
  },
  {
    words: ['net-create', 'network-create'],
    description: 'Start a network as a document says, which goes when it is stopped',
    args: [FILE],
    options: [VALIDATE],
    does: async (context, args, { validate = false }) => {
      const { order: body, source } = await documentIn(given(args), validate === true);
      const done = await host0Of(context).ask('POST /v1/transient-networks', { body, query: { source } });
      said(context, done, ({ name }) => `Network ${name} created from ${given(args)}`);
    },
  },
  {
    words: ['net-start', 'network-start'],
    description: 'Start a network',
    args: [NETWORK],
    does: async (context, args) => {
      const done = await start(context, given(args));
      if (done.change === 'unchanged') throw isSoAlready('MESH_NET_ACTIVE', done, 'is active already');
      said(context, done, ({ name }) => `Network ${name} started`);
    },
  },
  {
    words: ['net-destroy', 'network-stop'],
    description: 'Stop a network; one that is not defined goes',
    args: [NETWORK],
    does: async (context, args) => {
      const done = await stop(context, given(args));
      if (done.change === 'unchanged') throw isSoAlready('MESH_NET_INACTIVE', done, 'is not active');
      said(context, done, ({ name }) => `Network ${name} destroyed`);
    },
  },
  {
    words: ['network-restart'],
    description: 'Stop a network and start it as it is defined',
    args: [NETWORK],
    does: async (context, args) => {
      const { network, persistent } = await networkCalled(context, given(args));
      const path = { name: network.id };
      // A transient network would be gone after the stop: it has a definition meanwhile.
      if (persistent === false) await host0Of(context).ask('PUT /v1/definitions', { body: { ...network } });
      await stop(context, network.id);
      const done = await start(context, network.id);
      if (persistent === false) await host0Of(context).ask('DELETE /v1/definitions/{name}', { path });
      said(context, done, ({ name }) => `Network ${name} restarted`);
    },
  },
  {
    words: ['net-undefine'],
    description: 'Give the definition of a network up; one that runs goes when it is stopped',
    args: [NETWORK],
    does: async (context, args) => {
      const done = await host0Of(context).ask('DELETE /v1/definitions/{name}', { path: { name: given(args) } });
      said(context, done, ({ name }) => `Network ${name} has been undefined`);
    },
  },
  {
    words: ['net-autostart'],
    description: 'Have a boot start a network',
    args: [NETWORK],
    options: [['--disable', 'have no boot start it']],
    does: async (context, args, { disable = false }) => {
      const on = disable !== true;
      const question = { path: { name: given(args) }, query: { on } };
      const done = await host0Of(context).ask('POST /v1/catalogue/{name}/autostart', question);
      said(context, done, ({ name }) => `Network ${name} ${on ? 'marked' : 'unmarked'} as autostarted`);
    },
  },
  {
    words: ['net-desc'],
    description: 'Show or change the description or the title of a network',
    args: [NETWORK, ['[text...]', 'the new one; an empty text takes it away']],
    options: [...WHERE, ['--title', 'the title, and not the description']],
    does: async (context, [name = '', ...words], options) => {
      const part = options.title ? 'title' : 'description';
      if (words.length === 0) {
        const { network, definition = network } = await networkCalled(context, name);
        const text = (options.config ? definition : network)[part];
        return context.answer({ [part]: text }, () => netSaid(text ?? `No ${part} for network: ${name}`));
      }
      const done = await host0Of(context).ask('PATCH /v1/catalogue/{name}/forms', {
        path: { name },
        query: whereIn(options),
        body: { [part]: words.join(' ') },
      });
      said(context, done, () => `Network ${part} updated successfully`);
    },
  },
];

function start(context: Context, name: string): Promise<CatalogueChange> {
  return host0Of(context).ask('POST /v1/catalogue/{name}/start', { path: { name } });
}

function stop(context: Context, name: string): Promise<CatalogueChange> {
  return host0Of(context).ask('POST /v1/catalogue/{name}/stop', { path: { name } });
}

async function documentIn(file: string, validate: boolean) {
  const { readNetworkDocument } = await import('../network/network-input.ts');
  return readNetworkDocument(file, validate);
}

function said(context: Context, done: CatalogueChange, text: (network: CatalogueChange['network']) => string): void {
  context.answer(done, () => netSaid(text(done.network)));
}

/** The commands of Meshwork take this for done; virsh does not. */
function isSoAlready(
  code: 'MESH_NET_ACTIVE' | 'MESH_NET_INACTIVE',
  { network }: CatalogueChange,
  what: string,
): MeshError {
  return new MeshError(code, `network ${network.name} ${what}`, {
    object: network.name,
    remedy: 'See `mesh net-list --all`',
  });
}
