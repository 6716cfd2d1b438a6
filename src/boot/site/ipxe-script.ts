/**
 * The scripts that iPXE fetches from host0. Every command that can fail ends in `|| goto`: a script that stopped in the
 * middle would leave the machine at a prompt. All values go through `command`, which checks them.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { HARDWARE_SETTINGS } from './hardware.ts';

/** The path of the first script, which DHCP names as the boot file for iPXE. */
const ENTRY_PATH = '/boot.ipxe';

/** How long a machine waits after a failure before it asks for its script again. */
const ASK_AGAIN_SEC = 5;

/** `01` (Ethernet) and the MAC with dashes: the form in which boot loaders tell the kernel which network card they used. */
function bootIf(mac: Mac): string {
  return `01-${mac.replaceAll(':', '-')}`;
}

/** The first script, the same for every machine. It asks for the machine's own script and names the hardware that iPXE sees. */
export function entryScript(host0: Ipv4): string {
  const query = Object.entries(HARDWARE_SETTINGS).map(([key, setting]) => `${key}=\${${setting}}`);
  return lines(
    ':ask',
    // The query is fixed text, in which iPXE fills in its settings.
    `${command`chain --replace http://${host0}/boot/`}\${netX/mac:hexhyp}.ipxe?${query.join('&')} || goto again`,
    ':again',
    command`echo host0 at ${host0} gave no boot script, asking again in ${ASK_AGAIN_SEC} s`,
    command`sleep ${ASK_AGAIN_SEC}`,
    'goto ask',
  );
}

/** The values on the kernel's command line. */
export interface CommandLine {
  readonly machine: MachineId;
  /** Of the network card that boots. */
  readonly mac: Mac;
  /** host0's addresses in the order in which the node should try them. */
  readonly host0: readonly Ipv4[];
  /** The id of the attempt. */
  readonly attempt: string;
  /** The token for the secrets. */
  readonly token: string;
  /** As in Attempt: the node waits longer before each further boot in a row. */
  readonly turn: number;
  /** URL of the overlay. */
  readonly overlay: string;
  /** Words that the image adds. */
  readonly more?: string;
  /** For Alpine's own initramfs. */
  readonly mirror?: MirrorWords;
}

/** What Alpine's initramfs fetches from the mirror. */
export interface MirrorWords {
  readonly generation: number;
  readonly repositories: readonly { readonly path: string; readonly tag?: string }[];
  readonly modloop: string;
}

/**
 * The words of Alpine's initramfs (mkinitfs, initramfs-init). It installs from one repository, which all of its versions take,
 * and from those that the overlay names in `/etc/apk/repositories`.
 */
function alpineWords(overlay: string, { generation, repositories, modloop }: MirrorWords): readonly string[] {
  const first = repositories.find(({ tag }) => tag === undefined);
  const site = overlay.slice(0, overlay.indexOf('/', 'http://'.length));
  return [
    'ip=dhcp',
    `apkovl=${overlay}`,
    ...(first === undefined ? [] : [`alpine_repo=${site}/alpine/${generation}/${first.path}`]),
    `modloop=${site}${modloop}`,
    'modules=loop,squashfs',
  ];
}

/** The kernel's command line: which machine this is, where host0 is, and what the node fetches from there. */
export function commandLine(words: CommandLine): string {
  const { machine, mac, host0, attempt, token, turn, overlay, more, mirror } = words;
  const all = [
    `mesh.machine=${machine}`,
    `host0=${host0.join(',')}`,
    `BOOTIF=${bootIf(mac)}`,
    `mesh.boot=${attempt}`,
    `mesh.token=${token}`,
    `mesh.turn=${turn}`,
    ...(mirror === undefined ? [`mesh.overlay=${overlay}`] : alpineWords(overlay, mirror)),
    'console=tty0 console=ttyS0,115200 panic=30',
  ];
  return [...all, ...(more === undefined ? [] : [more])].map(onCommandLine).join(' ');
}

/**
 * Checks words of the kernel's command line: the kernel and the node's scripts split it at blanks, and quotes would hide a blank.
 * @throws MESH_INTERNAL
 */
function onCommandLine(words: string): string {
  if (/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(words) && !/["'\\`]/.test(words)) return words;
  throw unfit(words, "the kernel's command line");
}

/** The values in a machine's own boot script. */
export interface BootScript {
  readonly host0: Ipv4;
  readonly machine: MachineId;
  /** The name that the administrator gave it, if any. */
  readonly name?: string;
  /** The id of the attempt. */
  readonly attempt: string;
  /** Paths on host0's boot server. */
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
}

/** The second script, which boots this machine. If it fails, it reports the error and asks for a script again. */
export function bootScript(script: BootScript): string {
  const { host0, machine, name, attempt, kernel, initrd, commandLine } = script;
  const site = `http://${host0}`;
  return lines(
    command`echo Meshwork: machine ${machine}${name === undefined ? '' : `, ${onConsole(name)}`}`,
    'imgfree',
    // In an EFI boot the kernel finds its initrd by this name.
    command`kernel ${site}${kernel} initrd=initrd.img ${commandLine} || goto failed`,
    command`initrd --name initrd.img ${site}${initrd} || goto failed`,
    'boot || goto failed',
    ':failed',
    command`imgfetch --name report ${site}/stage/${attempt}/failed?detail=\${errno} || goto retry`,
    ':retry',
    command`sleep ${ASK_AGAIN_SEC}`,
    command`chain --replace ${site}${ENTRY_PATH} || goto retry`,
  );
}

/** The script for a machine that may not boot: it shows the reasons on the machine's console and asks again later. */
export function refusalScript(host0: Ipv4, reasons: readonly string[], againSec: number): string {
  return lines(
    ...reasons.map((reason) => command`echo ${onConsole(reason)}`),
    ':again',
    command`sleep ${againSec}`,
    command`chain --replace http://${host0}${ENTRY_PATH} || goto again`,
  );
}

/**
 * One command with its values. iPXE expands `$`, and takes `#`, `&`, `|`, `;` and line ends for the end of a command (core/exec.c).
 * @throws MESH_INTERNAL for a value with one of these, or with other than printable ASCII
 */
function command(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  const checked = values.map((value) => {
    const text = `${value}`;
    if (/^[\x20-\x7e]*$/.test(text) && !/[$#&|;]/.test(text)) return text;
    throw unfit(text, 'a boot script');
  });
  return String.raw({ raw: parts }, ...checked);
}

function unfit(text: string, where: string): MeshError {
  return new MeshError('MESH_INTERNAL', `${JSON.stringify(text.slice(0, 100))} cannot be in ${where}`, {
    operation: 'write boot script',
    rule: 'Values are printable ASCII, without characters that have a meaning there.',
  });
}

/** A text for people as `command` takes it: other characters are replaced. */
function onConsole(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, '?')
    .replaceAll(';', ',')
    .replace(/[$&|#]/g, ' ');
}

function lines(...commands: readonly string[]): string {
  return `#!ipxe\n${commands.join('\n')}\n`;
}
