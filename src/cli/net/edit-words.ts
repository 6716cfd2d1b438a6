/** The words that change a network's document in an editor, and an element of its metadata. */
import { MeshError } from '../../model/error.ts';
import type { Context } from '../context.ts';
import { plain } from '../print/color.ts';
import { networkDocument } from './net-document.ts';
import { host0Of, networkCalled } from './net-lookup.ts';
import { netSaid } from './net-text.ts';
import { given, type NetWord, whereIn } from './net-word.ts';

const NETWORK = ['<network>', 'its name or UUID'] as const;

/** The table. */
export const EDIT_WORDS: readonly NetWord[] = [
  {
    words: ['net-edit'],
    description: 'Change the definition of a network in an editor, in XML',
    args: [NETWORK],
    does: async (context, args) => {
      const view = await networkCalled(context, given(args));
      const { name } = view.network;
      const before = await networkDocument(view, { inactive: true });
      const take = async (file: string, text: string) => {
        const { readNetworkText } = await import('../network/network-input.ts');
        const body = await readNetworkText(file, text);
        mustBeSame(name, body.name);
        // Somebody else may have defined the network meanwhile: that is not lost.
        const now = await networkDocument(await networkCalled(context, view.network.id), { inactive: true });
        if (now !== before) throw changedMeanwhile(name);
        await host0Of(context).ask('PUT /v1/definitions', { body, query: { source: 'libvirt' } });
      };
      const changed = await edited(context, { file: `${name}.xml`, before, again: 'mesh net-define', take });
      const end = changed ? 'edited' : 'not changed';
      said(context, { name, changed }, `Network ${name} XML configuration ${end}.`);
    },
  },
  {
    words: ['net-metadata'],
    description: 'Show, set or remove an element of the metadata of a network',
    args: [NETWORK, ['<uri>', 'the namespace of the element']],
    options: [
      ['--key <prefix>', 'the prefix of its namespace'],
      ['--set <xml>', 'the new element; it has no namespace'],
      ['--edit', 'change it in an editor'],
      ['--remove', 'take it away'],
      ['--live', 'where the network runs'],
      ['--config', 'in its definition'],
      ['--current', 'where it runs; in its definition, if it does not'],
    ],
    does: async (context, args, options) => {
      const [name, uri] = [given(args), given(args, 1)];
      const { set, edit = false, remove = false, key } = options;
      if ([set !== undefined, edit, remove].filter(Boolean).length > 1) throw oneOfThem();
      if (!edit && !remove && set === undefined) {
        const { xml } = await metadata(context, name, uri, options.config === true);
        return context.answer({ xml }, () => netSaid(xml));
      }
      if (!remove && key === undefined) throw noKey();
      const put = (xml: string | undefined) =>
        host0Of(context).ask('PUT /v1/catalogue/{name}/metadata', {
          path: { name },
          query: whereIn(options),
          body: { uri, ...(xml !== undefined && { xml }), ...(key !== undefined && { key: String(key) }) },
        });
      if (remove) return said(context, await put(undefined), 'Metadata removed');
      if (!edit) return said(context, await put(String(set)), 'Metadata modified');
      const { xml } = await metadata(context, name, uri, options.config === true);
      const take = async (_: string, text: string) => void (await put(text));
      const again = `mesh net-metadata ${name} ${uri} --set`;
      const changed = await edited(context, { file: 'metadata.xml', before: xml, again, take });
      said(context, { changed }, changed ? 'Metadata modified' : 'Metadata not changed');
    },
  },
];

interface Edited {
  readonly file: string;
  readonly before: string;
  readonly take: (file: string, text: string) => Promise<void>;
  readonly again: string;
}

/** Opens the editor with a text. @returns whether the text was changed, and taken @throws MESH_USAGE, and what `take` throws */
async function edited(context: Context, { file, before, take, again }: Edited): Promise<boolean> {
  const { editorNamed, editText } = await import('../network/network-editor.ts');
  const isTerminal = process.stdin.isTTY === true && context.page.width !== undefined;
  const editor = editorNamed(process.env, isTerminal);
  if (editor === undefined) throw noEditor();
  return await editText(editor, file, `${before.trimEnd()}\n`, {
    ...{ take, again, isTerminal },
    print: (text) => context.stderr.write(text),
    color: context.paint !== plain,
  });
}

function metadata(context: Context, name: string, uri: string, config: boolean) {
  return host0Of(context).ask('GET /v1/catalogue/{name}/metadata', { path: { name }, query: { uri, config } });
}

function said(context: Context, done: unknown, text: string): void {
  context.answer(done, () => netSaid(text));
}

function noEditor(): MeshError {
  return new MeshError('MESH_USAGE', 'there is no editor without a terminal', {
    remedy: 'Name an editor, as `EDITOR="sed -i s/old/new/"`, or define a file: `mesh net-define FILE`',
  });
}

function mustBeSame(name: string, written: unknown): void {
  if (written === name) return;
  throw new MeshError('MESH_USAGE', `the name of network ${name} cannot be changed`, {
    object: name,
    rule: 'A document with another name defines another network.',
    remedy: 'Write the name as it was, or define another network with `mesh net-define`',
  });
}

function changedMeanwhile(name: string): MeshError {
  return new MeshError('MESH_STORE_CONFLICT', `network ${name} was changed while it was edited`, {
    object: name,
    remedy: 'Look at it with `mesh net-dumpxml --inactive`, and edit it again',
  });
}

function oneOfThem(): MeshError {
  return new MeshError('MESH_USAGE', '--set, --edit and --remove exclude each other', { remedy: 'Write one of them' });
}

function noKey(): MeshError {
  return new MeshError('MESH_USAGE', 'an element needs the prefix of its namespace', { remedy: 'Write `--key app`' });
}
