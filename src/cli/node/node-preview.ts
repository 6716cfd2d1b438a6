/** `mesh node preview`: what a machine would get if it booted now, and which part of it is not in force yet. */
import { join } from 'node:path';
import { Command } from 'commander';
import { bootScript, commandLine } from '../../boot/site/ipxe-script.ts';
import type { Flavor } from '../../formats/host0/flavor.ts';
import { authorizedKeysIn } from '../../image/command-key.ts';
import { AlpineBoots } from '../../image/mirror/alpine-boot.ts';
import { installationOf, type MachineInstallation } from '../../image/mirror/installation.ts';
import { MirrorStore } from '../../image/mirror/mirror-store.ts';
import { mirrorPublicKey } from '../../image/mirror-key.ts';
import { Generations } from '../../image/node/generations.ts';
import { alpineImageOf, nodeImageOf, type StoredImage } from '../../image/overlay/boot-catalogue.ts';
import { type CompiledMachine, compile } from '../../image/overlay/compilation.ts';
import type { OverlayEntry } from '../../image/overlay/overlay.ts';
import { modeText, overlayDifference, type PathChange } from '../../image/overlay/overlay-difference.ts';
import { OverlayStore } from '../../image/overlay/overlay-store.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import { isMachineId, type MachineId } from '../../model/machine.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { BootView, SegmentView } from '../../protocol/documents/boot-views.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { properties } from '../print/properties.ts';
import { pathText } from '../system/system-configure.ts';

export function nodePreviewCommand(context: Context): Command {
  return new Command('preview')
    .description('Show what a machine would get if it booted now: answer, script, command line, files and packages')
    .argument('<machine>', 'its name or its machine id; a machine without a folder gets what the default one gets')
    .option('--file <path>', 'print this file of its overlay, byte for byte')
    .addHelpText('after', '\nExamples:\n  $ mesh node preview node1\n  $ mesh node preview 10eff964 --file /etc/motd')
    .action((machine: string, { file }: { file?: string }) => preview(context, machine, file));
}

interface Preview {
  readonly machine: string;
  readonly name: string;
  readonly flavor?: Flavor;
  readonly segments: readonly SegmentAnswer[];
  readonly script?: string;
  readonly packages: readonly string[];
  /** What Alpine would install from the mirror, and why; absent while there is no mirror. */
  readonly installs?: MachineInstallation;
  readonly files: readonly FileView[];
  /** From the overlay in force to the one that `/host0` describes now. */
  readonly changes: readonly PathChange[];
}

/** What a machine is answered on one segment. */
interface SegmentAnswer {
  readonly device: string;
  readonly answer: string;
}

interface FileView {
  readonly path: string;
  readonly type: OverlayEntry['type'];
  readonly mode?: string;
  readonly bytes?: number;
  readonly to?: string;
}

async function preview(context: Context, wanted: string, file: string | undefined): Promise<void> {
  const { paths } = context;
  const [authorizedKeys, mirrorKey] = [await authorizedKeysIn(paths.state), await mirrorPublicKey(paths.state)];
  const { machines, errors } = await compile({ paths, authorizedKeys, mirrorKey });
  const [fault] = errors;
  if (fault !== undefined) throw fault;
  const found = findMachine(machines, wanted, join(paths.host0, 'machines'));
  if (found.overlay === undefined) throw skipped(found, join(paths.host0, 'machines', found.name));
  const { entries } = found.overlay;
  if (file !== undefined) return context.print(contentOf(entries, file));
  const overlayStore = new OverlayStore(paths.state);
  const overlay = (await overlayStore.index())?.machines.find(({ machine }) => machine === found.machine)?.overlay;
  const boot = await bootViewOf(context);
  const script = await scriptOf(context, found, wanted, overlay?.sha256, boot);
  const mirror = new MirrorStore(paths.state);
  const current = await mirror.current();
  const installs = current && (await installationOf(mirror, current, found));
  const document: Preview = {
    machine: found.machine,
    name: found.name,
    ...(found.flavor !== undefined && { flavor: found.flavor }),
    segments: boot?.segments.map(answerOn) ?? [],
    ...(script !== undefined && { script }),
    packages: found.packages,
    ...(installs !== undefined && { installs }),
    files: entries.map(fileView),
    changes: overlayDifference(overlay === undefined ? [] : await overlayStore.entriesOf(overlay), entries),
  };
  context.answer(document, () => previewText(document, overlay !== undefined, context));
}

/** The machine with this name or id. An id without a folder gets the default machine. @throws MESH_NODE_UNKNOWN */
function findMachine(machines: readonly CompiledMachine[], wanted: string, folders: string): CompiledMachine {
  const own = machines.find(({ name, machine }) => name === wanted || machine === wanted);
  const isId = isMachineId(wanted);
  const found = own ?? (isId ? machines.find(({ machine }) => machine === 'default') : undefined);
  if (found !== undefined) return found;
  const why = isId ? `there is no folder for machine ${wanted}, and no default one` : `there is no folder ${wanted}`;
  throw new MeshError('MESH_NODE_UNKNOWN', why, {
    operation: 'preview machine',
    object: wanted,
    remedy: `Name a folder of ${folders}, or a machine id.`,
  });
}

function skipped({ name }: CompiledMachine, folder: string): MeshError {
  return new MeshError('MESH_BOOT_NO_OVERLAY', `${name} gets nothing: its folder says SKIP`, {
    object: name,
    remedy: `Remove ${folder}/SKIP.`,
  });
}

function contentOf(entries: readonly OverlayEntry[], file: string): Uint8Array {
  const path = file.replace(/^\/+/, '');
  const entry = entries.find((candidate) => candidate.path === path);
  if (entry?.type === 'file') return entry.content;
  throw new MeshError('MESH_OBJECT_UNKNOWN', `the overlay has no file /${path}`, {
    object: file,
    remedy: 'See the list without --file.',
  });
}

/** The segments with their modes; undefined if host0's daemon does not run. */
async function bootViewOf({ paths }: Context): Promise<BootView | undefined> {
  const host0 = host0Client(paths);
  return (await host0.answers()) ? await host0.ask('GET /v1/boot') : undefined;
}

function answerOn({ device, mode, subnet, remark }: SegmentView): SegmentAnswer {
  const from = subnet?.ipv4 ?? '-';
  if (remark !== undefined) return { device, answer: `nothing: ${remark}` };
  if (mode === 'server') {
    return { device, answer: `an address of ${subnet?.subnet ?? '-'}, and the boot file, from ${from}` };
  }
  if (mode === 'proxy') return { device, answer: `the boot file, from ${from}; the address comes from another server` };
  return { device, answer: `nothing: the mode is ${mode}` };
}

/** The boot script, with words such as ATTEMPT and TOKEN for values that each boot gets. Undefined if there is no image. */
async function scriptOf(
  { paths }: Context,
  { machine, name, flavor }: CompiledMachine,
  wanted: string,
  sha256: string | undefined,
  boot: BootView | undefined,
): Promise<string | undefined> {
  const image = await imageOf(paths.state, flavor);
  if (image === undefined) return undefined;
  const addresses = boot?.segments.flatMap(({ subnet }) => subnet?.ipv4 ?? []) ?? [];
  const host0 = addresses[0] ?? ('HOST0' as Ipv4);
  const id = (machine === 'default' ? (isMachineId(wanted) ? wanted : 'MACHINE') : machine) as MachineId;
  return bootScript({
    host0,
    machine: id,
    ...(machine !== 'default' && { name }),
    attempt: 'ATTEMPT',
    kernel: image.kernel,
    initrd: image.initrd,
    commandLine: commandLine({
      machine: id,
      mac: 'MAC' as Mac,
      host0: addresses.length === 0 ? [host0] : addresses,
      attempt: 'ATTEMPT',
      token: 'TOKEN',
      turn: 1,
      overlay: `http://${host0}/overlay/ATTEMPT/${sha256 ?? 'SHA256'}.apkovl.tar.gz`,
      ...(image.commandLine !== undefined && { more: image.commandLine }),
      ...(image.mirror !== undefined && { mirror: image.mirror }),
    }),
  });
}

/** What a machine of this flavor boots now; undefined if there is nothing. @throws MESH_BOOT_NO_IMAGE */
async function imageOf(state: string, flavor: Flavor | undefined): Promise<StoredImage | undefined> {
  if (flavor !== 'alpine') {
    const image = await new Generations(state).current();
    return image && nodeImageOf(image);
  }
  const boot = await new AlpineBoots(state).boot();
  return boot && alpineImageOf(boot);
}

function fileView(entry: OverlayEntry): FileView {
  const path = `/${entry.path}`;
  if (entry.type === 'link') return { path, type: entry.type, to: entry.to };
  const mode = modeText(entry.mode);
  return entry.type === 'file'
    ? { path, type: entry.type, mode, bytes: entry.content.length }
    : { path, type: entry.type, mode };
}

const NO_IMAGE = 'There is no image yet: `mesh system image node` builds one.\n';
const NO_MIRROR = 'There is no mirror of Alpine yet: `mesh system download` makes one.\n';

function previewText(view: Preview, inForce: boolean, { paint }: Context): string {
  const { machine, name, flavor, segments, script, packages, installs, files, changes } = view;
  const heading = (text: string) => `\n${paint('heading', text)}\n`;
  const about = properties(
    [
      ['machine', machine],
      ['name', name],
      ...(flavor === undefined ? [] : [['flavor', flavor] as const]),
      ...segments.map(({ device, answer }) => [`on ${device}`, answer] as const),
      ['packages', packages.join(' ') || 'none'],
    ],
    paint,
  );
  const scriptText = script ?? (flavor === 'alpine' ? NO_MIRROR : NO_IMAGE);
  const news = inForce
    ? changes.map(pathText).join('') || '  nothing: this is in force\n'
    : '  all of it: `mesh system configure` has not been run for this machine\n';
  return [
    about,
    heading('Script'),
    ...scriptText
      .trimEnd()
      .split('\n')
      .map((line) => `  ${printable(line)}\n`),
    ...(installs === undefined
      ? []
      : [heading(`Packages on Alpine, from generation ${installs.generation}`), installsText(installs)]),
    heading('Files'),
    ...files.map((file) => `  ${fileText(file)}\n`),
    heading('Not in force yet'),
    news,
  ].join('');
}

/** One line for each package, with the reason for it. */
function installsText({ packages, fault }: MachineInstallation): string {
  if (fault !== undefined) return `  none: ${printable(fault.message)}\n  ${printable(fault.remedy ?? '')}\n`;
  const width = Math.max(0, ...packages.map(({ title }) => title.length));
  return packages.map(({ title, why }) => `  ${title.padEnd(width)}  ${printable(why)}\n`).join('');
}

const MODE_WIDTH = 16;
const BYTES_WIDTH = 9;

function fileText({ path, type, mode = '', bytes, to }: FileView): string {
  const size = type === 'directory' ? 'dir' : type === 'link' ? 'link' : String(bytes);
  return `${mode.padEnd(MODE_WIDTH)} ${size.padStart(BYTES_WIDTH)}  ${printable(path)}${to === undefined ? '' : ` → ${printable(to)}`}`;
}
