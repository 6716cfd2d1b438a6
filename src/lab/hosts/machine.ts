/** An emulated machine of a lab: QEMU without acceleration, with one network card and no disk. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { findProgram } from '../../services/process/program-path.ts';
import { qemuArgv } from '../../services/qemu/qemu-argv.ts';
import { QEMU, QEMU_FILES, type QemuSpec } from '../../services/qemu/qemu-spec.ts';
import { QmpClient } from '../../services/qemu/qmp-client.ts';
import { startInside } from './host-process.ts';
import { forgetConnection } from './host-shell.ts';
import type { LabHost } from './lab-host.ts';

const OVMF = { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' };
const MEMORY_BYTES = 1024 * 1024 * 1024;

/** Programs that a lab with emulated machines needs, and the Debian packages that have them. */
const PROGRAMS = {
  [QEMU]: 'qemu-system-x86',
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
  const argv = qemuArgv({
    ...{
      name: host.name,
      uuid: emulated.uuid,
      accelerator: 'tcg',
      cpuModel: 'max',
      threads: 1,
      memoryBytes: MEMORY_BYTES,
    },
    cards: [{ id: 'net0', mac: port.mac, model: 'virtio', tap: port.underlayEnd, boots: true }],
    disks: [],
    firmware: firmwareOf(host),
    product: { manufacturer: 'Meshwork', product: 'Lab machine' },
    screen: false,
    paused: false,
    pidFile: join(root, 'qemu.pid'),
  });
  startInside(host.netns, root, {
    name: QEMU,
    title: `the emulator of ${host.name}`,
    argv,
    directory: root,
    outputFile: consoleFile(root),
  });
}

function firmwareOf({ root, emulated }: LabHost): QemuSpec['firmware'] {
  if (emulated?.firmware !== 'uefi') return { kind: 'bios' };
  const variables = join(root, 'variables.fd');
  if (!existsSync(variables)) copyFileSync(OVMF.variables, variables);
  return { kind: 'uefi', code: OVMF.code, variables };
}

/** Switches a machine off, like pulling its power cable. Returns when it is off. @throws MESH_QEMU_SILENT */
export async function switchOff(host: LabHost): Promise<void> {
  forgetConnection(host);
  const monitor = await QmpClient.connect(join(host.root, QEMU_FILES.monitor), systemClock);
  const end = new Promise<void>((resolve) => monitor.ends.subscribe(resolve));
  // The emulator may end before it answers.
  await monitor.execute('quit').catch(() => undefined);
  await end;
}

/** The last `lines` lines of a machine's serial console, without control sequences. */
export function consoleTail(root: string, lines: number): string[] {
  const file = consoleFile(root);
  if (!existsSync(file)) return [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: firmware paints its screens with them
  const text = readFileSync(file, 'latin1').replaceAll(/\x1b\[[0-9;?=]*[A-Za-z]|[^\n\x20-\x7e]/g, '');
  return text.trimEnd().split('\n').slice(-lines);
}
