/** The command line of QEMU, from its spec. Pure. Paths of sockets are relative to its working directory: they must be short. */
import { QEMU, QEMU_FILES, type QemuCard, type QemuDisk, type QemuSpec } from './qemu-spec.ts';

/** The first descriptor that a child gets beside its standard ones. */
const FIRST_DESCRIPTOR = 3;
const MIB = 1024 * 1024;
/** What QEMU calls the memory of a guest that is in a file. */
const MEMORY = 'memory';

const CARDS: Readonly<Record<QemuCard['model'], string>> = {
  virtio: 'virtio-net-pci',
  e1000: 'e1000',
  e1000e: 'e1000e',
  rtl8139: 'rtl8139',
};

/** The command line. The working directory must be the emulator's own, and the taps its descriptors from 3 on. */
export function qemuArgv(spec: QemuSpec): [program: string, ...rest: string[]] {
  const { name, uuid, cpuModel, threads, cards, disks, screen, user, paused, product } = spec;
  return [
    QEMU,
    ...['-name', `guest=${escaped(name)},debug-threads=on`, '-uuid', uuid],
    // `accel=kvm:tcg` would change over without a word.
    // Without graphics, the firmware writes to the serial console.
    ...['-machine', machineOption(spec)],
    ...translationOptions(spec),
    ...['-cpu', cpuModelFor(spec.accelerator, cpuModel).model],
    ...['-m', memorySize(spec), '-smp', String(threads)],
    ...memoryOptions(spec),
    ...['-nodefaults', '-no-user-config', '-display', 'none'],
    ...monitor('monitor', QEMU_FILES.monitor),
    ...monitor('operator', QEMU_FILES.operatorMonitor),
    ...consoleOptions(spec),
    ...(product === undefined ? [] : ['-smbios', productOption(product)]),
    ...cards.flatMap((card, index) => cardOptions(card, index, spec)),
    ...(spec.options ?? []),
    ...Object.entries(spec.firmwareFiles ?? {}).flatMap(([name, path]) => firmwareFile(name, path)),
    ...disks.flatMap((disk, index) => diskOptions(disk, index)),
    ...firmwareOptions(spec),
    ...bootOptions(spec),
    // A viewer that wants the screen for itself would end all others, or be refused.
    ...(screen ? ['-device', 'VGA', '-vnc', `unix:${QEMU_FILES.vnc},share=ignore`] : []),
    // A guest waits long for its first random numbers without a device that gives some.
    ...['-device', 'virtio-rng-pci'],
    // A guest that panics says so: else only its console does.
    ...['-device', 'pvpanic-pci'],
    ...(spec.reboots === false ? ['-no-reboot'] : []),
    ...(paused ? ['-S'] : []),
    ...(spec.restored === true ? ['-incoming', 'defer'] : []),
    ...['-pidfile', spec.pidFile],
    ...(user === undefined ? [] : ['-runas', `${user.uid}:${user.gid}`]),
    // What QEMU must never do, also when a guest has broken into it. It needs the calls of `elevateprivileges` to become its user;
    // later they give it nothing: it has no capability then, and may start no program.
    '-sandbox',
    `on,obsolete=deny,elevateprivileges=${user === undefined ? 'deny' : 'allow'},spawn=${spec.spawns === true ? 'allow' : 'deny'},resourcecontrol=deny`,
    ...['-msg', 'timestamp=off'],
  ];
}

/**
 * The CPU model that an accelerator can give for a wanted one: `host` is the processor itself, which only KVM has.
 * @returns `instead`: why it is another one, as a sentence
 */
export function cpuModelFor(accelerator: QemuSpec['accelerator'], wanted: string): { model: string; instead?: string } {
  if (accelerator === 'kvm' || wanted !== 'host') return { model: wanted };
  return { model: 'max', instead: 'The CPU model host needs KVM: the guest has the model max.' };
}

function machineOption(spec: QemuSpec): string {
  const { consoleLog, memoryFile } = spec;
  const graphics = consoleLog === undefined ? ',graphics=off' : '';
  return `pc${acceleratorOption(spec)}${graphics}${memoryFile === undefined ? '' : `,memory-backend=${MEMORY}`}`;
}

function memorySize({ memoryBytes }: QemuSpec): string {
  return `size=${Math.ceil(memoryBytes / MIB)}M`;
}

function memoryOptions(spec: QemuSpec): string[] {
  const { memoryFile } = spec;
  if (memoryFile === undefined) return [];
  const { path, written } = memoryFile;
  const words = [
    `memory-backend-file,id=${MEMORY}`,
    memorySize(spec),
    `mem-path=${escaped(path)}`,
    `share=${written ? 'on' : 'off'}`,
  ];
  return ['-object', words.join(',')];
}

function firmwareFile(name: string, path: string): string[] {
  return ['-fw_cfg', `name=${escaped(name)},file=${escaped(path)}`];
}

/** Two options name the accelerator: only one of them can limit the translated code, and both together are refused. */
function acceleratorOption({ accelerator, translationMib }: QemuSpec): string {
  return accelerator === 'tcg' && translationMib !== undefined ? '' : `,accel=${accelerator}`;
}

function translationOptions({ accelerator, translationMib }: QemuSpec): string[] {
  return accelerator === 'tcg' && translationMib !== undefined ? ['-accel', `tcg,tb-size=${translationMib}`] : [];
}

function monitor(id: string, path: string): string[] {
  return ['-chardev', `socket,id=${id},path=${path},server=on,wait=off`, '-mon', `chardev=${id},mode=control`];
}

function consoleOptions({ consoleLog: log }: QemuSpec): string[] {
  if (log === undefined) return ['-serial', 'stdio'];
  const socket = `socket,id=console,path=${QEMU_FILES.console},server=on,wait=off,logfile=${escaped(log)},logappend=on`;
  return ['-chardev', socket, '-serial', 'chardev:console'];
}

function productOption({ manufacturer, product }: NonNullable<QemuSpec['product']>): string {
  return `type=1,manufacturer=${escaped(manufacturer)},product=${escaped(product)}`;
}

function cardOptions(
  { id, mac, mtuBytes, model, tap, boots }: QemuCard,
  index: number,
  { firmware }: QemuSpec,
): string[] {
  const device = [CARDS[model], `netdev=net-${id}`, `id=card-${id}`, `mac=${mac}`];
  // No other model can tell its guest of an MTU.
  if (model === 'virtio' && mtuBytes !== undefined) device.push(`host_mtu=${mtuBytes}`);
  // The BIOS boots from the network by the card's ROM, and UEFI by a driver of its own. Else no package with the ROMs is needed.
  const hasRom = boots === true && firmware.kind === 'bios';
  if (!hasRom) device.push('romfile=');
  // QEMU would run a script of this machine for a tap that it opens.
  const opened = tap === undefined ? `fd=${FIRST_DESCRIPTOR + index}` : `ifname=${tap},script=no,downscript=no`;
  const order = hasRom ? ['-boot', 'n'] : [];
  return ['-netdev', `tap,id=net-${id},${opened}`, '-device', device.join(','), ...order];
}

function diskOptions({ id, path, format, kind }: QemuDisk, index: number): string[] {
  const drive = [`file=${escaped(path)}`, `format=${format}`, 'if=none', `id=drive-${id}`];
  const device = [`drive=drive-${id}`, `id=disk-${id}`, `bootindex=${index + 1}`];
  if (kind === 'cd') {
    return ['-drive', [...drive, 'media=cdrom', 'readonly=on'].join(','), '-device', ['ide-cd', ...device].join(',')];
  }
  // A full disk pauses the guest in place of breaking its file system; the guest goes on when there is room.
  const onError = ['werror=enospc', 'rerror=report', 'discard=unmap'];
  return ['-drive', [...drive, ...onError].join(','), '-device', ['virtio-blk-pci', ...device].join(',')];
}

function firmwareOptions({ firmware }: QemuSpec): string[] {
  if (firmware.kind === 'bios') return [];
  return [
    ...['-drive', `if=pflash,format=raw,readonly=on,file=${escaped(firmware.code)}`],
    ...['-drive', `if=pflash,format=raw,file=${escaped(firmware.variables)}`],
  ];
}

function bootOptions({ boot }: QemuSpec): string[] {
  if (boot === undefined) return [];
  const { kernel, initrd, append } = boot;
  return [
    ...['-kernel', kernel],
    ...(initrd === undefined ? [] : ['-initrd', initrd]),
    ...(append === undefined ? [] : ['-append', append]),
  ];
}

/** A text as a value of an option: QEMU takes two commas for one. */
function escaped(text: string): string {
  return text.replaceAll(',', ',,');
}
