/**
 * The scripts that iPXE fetches from host0. Every command ends in `|| goto`: a script that stops in the middle would
 * leave the machine at a prompt that nobody looks at. Only text of ours and checked values are put in.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MachineId } from '../../model/machine.ts';
import { HARDWARE_SETTINGS } from './hardware.ts';

/** The path of the first script, which DHCP names as the boot file for iPXE. */
const ENTRY_PATH = '/boot.ipxe';

/** Between two questions of a machine that was refused or got no answer. */
const ASK_AGAIN_SEC = 5;

/** `01`, Ethernet, and the address with dashes: how boot loaders tell the kernel which NIC they used. */
function bootIf(mac: Mac): string {
  return `01-${mac.replaceAll(':', '-')}`;
}

/** The first script, the same for every machine: it asks again with what iPXE knows of the hardware. */
export function entryScript(host0: Ipv4): string {
  const query = Object.entries(HARDWARE_SETTINGS).map(([key, setting]) => `${key}=\${${setting}}`);
  return lines(
    ':ask',
    `chain --replace http://${host0}/boot/\${netX/mac:hexhyp}.ipxe?${query.join('&')} || goto again`,
    ':again',
    `echo host0 at ${host0} gave no boot script, asking again in ${ASK_AGAIN_SEC} s`,
    `sleep ${ASK_AGAIN_SEC}`,
    'goto ask',
  );
}

export interface CommandLine {
  readonly machine: MachineId;
  readonly mac: Mac;
  /** As the node should try them. */
  readonly host0: readonly Ipv4[];
  readonly attempt: string;
  readonly token: string;
  /** As in Attempt: a node that must start anew waits the longer for it. */
  readonly turn: number;
  /** URL of the overlay. */
  readonly overlay: string;
  /** What the image wants besides. */
  readonly more?: string;
}

/** What the kernel is started with: who the machine is, where host0 is, and what it fetches from there. */
export function commandLine({ machine, mac, host0, attempt, token, turn, overlay, more }: CommandLine): string {
  const words = [
    `mesh.machine=${machine}`,
    `host0=${host0.join(',')}`,
    `BOOTIF=${bootIf(mac)}`,
    `mesh.boot=${attempt}`,
    `mesh.token=${token}`,
    `mesh.turn=${turn}`,
    `mesh.overlay=${overlay}`,
    'console=tty0 console=ttyS0,115200 panic=30',
  ];
  return [...words, ...(more === undefined ? [] : [more])].join(' ');
}

export interface BootScript {
  readonly host0: Ipv4;
  readonly machine: MachineId;
  /** The name that the administrator gave it, if any. */
  readonly name?: string;
  readonly attempt: string;
  /** Paths on host0's boot server. */
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
}

/** The second script: what this machine boots. When it fails it reports why and asks anew. */
export function bootScript(script: BootScript): string {
  const { host0, machine, name, attempt, kernel, initrd, commandLine } = script;
  const site = `http://${host0}`;
  return lines(
    `echo Meshwork: machine ${machine}${name === undefined ? '' : `, ${name}`}`,
    'imgfree',
    // The kernel finds the initrd of an EFI boot by this name.
    `kernel ${site}${kernel} initrd=initrd.img ${commandLine} || goto failed`,
    `initrd --name initrd.img ${site}${initrd} || goto failed`,
    'boot || goto failed',
    ':failed',
    `imgfetch --name report ${site}/stage/${attempt}/failed?detail=\${errno} || goto retry`,
    ':retry',
    `sleep ${ASK_AGAIN_SEC}`,
    `chain --replace ${site}${ENTRY_PATH} || goto retry`,
  );
}

/** Instead of a boot: the reason on the machine's own console, and another question after a while. */
export function refusalScript(host0: Ipv4, reasons: readonly string[], againSec: number): string {
  return lines(
    ...reasons.map((reason) => `echo ${onConsole(reason)}`),
    ':again',
    `sleep ${againSec}`,
    `chain --replace http://${host0}${ENTRY_PATH} || goto again`,
  );
}

/** Nothing in it that iPXE would expand, or take for the next command. */
function onConsole(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').replace(/[$&|#]/g, ' ');
}

function lines(...commands: readonly string[]): string {
  return `#!ipxe\n${commands.join('\n')}\n`;
}
