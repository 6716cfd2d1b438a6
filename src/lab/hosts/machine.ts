/** An emulated machine of a lab: QEMU without acceleration, with one network card and no disk. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { findProgram } from '../../services/process/program-path.ts';
import { startInside } from './host-process.ts';
import { forgetConnection } from './host-shell.ts';
import type { LabHost } from './lab-host.ts';

const EMULATOR = 'qemu-system-x86_64';
const OVMF = { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' };
const MEMORY_MB = 1024;

/** Programs that a lab with emulated machines needs, and the Debian packages that have them. */
const PROGRAMS = {
  [EMULATOR]: 'qemu-system-x86',
  dnsmasq: 'dnsmasq-base',
  ssh: 'openssh-client',
};
/** Files that such a lab needs, and their Debian packages. */
const FILES = {
  [OVMF.code]: 'ovmf',
  [OVMF.variables]: 'ovmf',
  '/usr/lib/ipxe/undionly.kpxe': 'ipxe',
  '/usr/lib/ipxe/qemu/pxe-virtio.rom': 'ipxe-qemu',
};

/** Checks that machines can be emulated here. @throws MESH_LAB_FAILED with all that is missing, and what to install */
export function mustHaveEmulator(): void {
  const missing = [
    ...Object.entries(PROGRAMS).filter(([name]) => findProgram(name) === undefined),
    ...Object.entries(FILES).filter(([file]) => !existsSync(file)),
  ];
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
    throw new MeshError('MESH_LAB_FAILED', `this machine lacks ${missing.map(([name]) => name).join(', ')}`, {
      operation: 'build a lab of emulated machines',
      rule: 'QEMU emulates the machines, iPXE or OVMF boots them, and commands reach them by SSH.',
      remedy: `Run scripts/setup, or \`apt-get install ${packages}\`.`,
    });
  }
  if (existsSync('/dev/net/tun')) return;
  throw new MeshError('MESH_LAB_FAILED', 'there is no /dev/net/tun: an emulated network card needs it', {
    operation: 'build a lab of emulated machines',
    remedy: 'Load the module with `modprobe tun`; in a container, pass the device with --device /dev/net/tun.',
  });
}

/** The file with everything that the machine wrote to its serial console. */
function consoleFile(root: string): string {
  return join(root, 'console.log');
}

/** Switches a machine on. QEMU outlives this process; it runs in the underlay's namespace, and ends with the lab. */
export function switchOn(host: LabHost): void {
  const {
    root,
    emulated,
    ports: [port],
  } = host;
  if (emulated === undefined || port === undefined) throw new RangeError(`${host.name} is not emulated`);
  mkdirSync(root, { recursive: true });
  const argv: [string, ...string[]] = [
    EMULATOR,
    ...['-name', host.name, '-accel', 'tcg', '-cpu', 'max', '-m', String(MEMORY_MB), '-nodefaults', '-display', 'none'],
    // The firmware writes to the serial console, as Linux does.
    ...['-machine', 'graphics=off', '-serial', 'stdio'],
    ...['-chardev', `socket,id=monitor,path=${monitorSocket(root)},server=on,wait=off`, '-mon', 'monitor'],
    ...['-smbios', `type=1,manufacturer=Meshwork,product=Lab machine,uuid=${emulated.uuid}`],
    ...['-netdev', `tap,id=net0,ifname=${port.underlayEnd},script=no,downscript=no`],
    ...firmwareOptions(host, port.mac),
  ];
  startInside(host.netns, root, {
    name: EMULATOR,
    title: `the emulator of ${host.name}`,
    argv,
    directory: root,
    outputFile: consoleFile(root),
  });
}

/** BIOS boots iPXE from the card's ROM. UEFI gets a card without a ROM: it boots with its own driver, and loads iPXE by TFTP. */
function firmwareOptions({ root, emulated }: LabHost, mac: string): string[] {
  const card = `virtio-net-pci,netdev=net0,mac=${mac}`;
  if (emulated?.firmware !== 'uefi') return ['-device', card, '-boot', 'n'];
  const variables = join(root, 'variables.fd');
  if (!existsSync(variables)) copyFileSync(OVMF.variables, variables);
  return [
    ...['-drive', `if=pflash,format=raw,readonly=on,file=${OVMF.code}`],
    ...['-drive', `if=pflash,format=raw,file=${variables}`],
    ...['-device', `${card},romfile=`],
  ];
}

/** Switches a machine off, like pulling its power cable. Returns when it is off. */
export async function switchOff(host: LabHost): Promise<void> {
  forgetConnection(host);
  await command(host, 'quit');
}

/** Sends a command to QEMU's monitor. Resolves when the command is done, or has ended QEMU. */
function command({ root, name }: LabHost, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(monitorSocket(root));
    let prompts = 0;
    socket.once('error', (cause) => {
      // The command has ended QEMU.
      if (prompts > 0) return resolve();
      reject(new MeshError('MESH_LAB_FAILED', `the emulator of ${name} does not answer`, { object: name, cause }));
    });
    socket.once('close', () => resolve());
    // The prompt is printed again when the command is done.
    socket.on('data', (bytes) => {
      prompts += bytes.toString('latin1').split('(qemu) ').length - 1;
      if (prompts === 1) socket.write(`${text}\n`);
      if (prompts >= 2) socket.end();
    });
  });
}

/** The last `lines` lines of a machine's serial console, without control sequences. */
export function consoleTail(root: string, lines: number): string[] {
  const file = consoleFile(root);
  if (!existsSync(file)) return [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: firmware paints its screens with them
  const text = readFileSync(file, 'latin1').replaceAll(/\x1b\[[0-9;?=]*[A-Za-z]|[^\n\x20-\x7e]/g, '');
  return text.trimEnd().split('\n').slice(-lines);
}

function monitorSocket(root: string): string {
  return join(root, 'monitor.sock');
}
