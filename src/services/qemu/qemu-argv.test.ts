/** The command line of QEMU as text. */
import { expect, test } from 'vitest';
import { cpuModelFor, qemuArgv } from './qemu-argv.ts';
import type { QemuSpec } from './qemu-spec.ts';

const SPEC: QemuSpec = {
  name: 'vm1',
  uuid: '6f5bbd0e-7bb5-4a2e-9f43-1f2cf6a0a001',
  accelerator: 'tcg',
  cpuModel: 'host',
  threads: 2,
  memoryBytes: 512 * 1024 * 1024,
  cards: [],
  disks: [],
  firmware: { kind: 'bios' },
  screen: false,
  paused: false,
  consoleLog: '/log/a,b.console.log',
  pidFile: '/run/vm1.pid',
};

/** The options as lines: an option with its value is one. */
function lines(spec: Partial<QemuSpec>): string[] {
  return qemuArgv({ ...SPEC, ...spec })
    .join(' ')
    .split(/ (?=-)/);
}

test('a guest without cards and disks', () => {
  expect(lines({})).toEqual([
    'qemu-system-x86_64',
    '-name guest=vm1,debug-threads=on',
    '-uuid 6f5bbd0e-7bb5-4a2e-9f43-1f2cf6a0a001',
    '-machine pc,accel=tcg',
    '-cpu max',
    '-m size=512M',
    '-smp 2',
    '-nodefaults',
    '-no-user-config',
    '-display none',
    '-chardev socket,id=monitor,path=qmp.sock,server=on,wait=off',
    '-mon chardev=monitor,mode=control',
    '-chardev socket,id=operator,path=monitor.sock,server=on,wait=off',
    '-mon chardev=operator,mode=control',
    '-chardev socket,id=console,path=console.sock,server=on,wait=off,logfile=/log/a,,b.console.log,logappend=on',
    '-serial chardev:console',
    '-device virtio-rng-pci',
    '-device pvpanic-pci',
    '-pidfile /run/vm1.pid',
    '-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    '-msg timestamp=off',
  ]);
});

test('cards have the descriptors from 3 on, and only virtio tells the guest its MTU', () => {
  const cards = [
    { id: 'n0', mac: '02:00:00:00:00:01', mtuBytes: 1380, model: 'virtio' },
    { id: 'n1', mac: '02:00:00:00:00:02', mtuBytes: 1380, model: 'e1000' },
  ] as const;
  expect(lines({ cards })).toEqual(
    expect.arrayContaining([
      '-netdev tap,id=net-n0,fd=3',
      '-device virtio-net-pci,netdev=net-n0,id=card-n0,mac=02:00:00:00:00:01,host_mtu=1380,romfile=',
      '-netdev tap,id=net-n1,fd=4',
      '-device e1000,netdev=net-n1,id=card-n1,mac=02:00:00:00:00:02,romfile=',
    ]),
  );
});

test('disks are tried in their order, a full one pauses the guest, and a CD is only read', () => {
  const disks = [
    { id: 'root', path: '/v/a,b.qcow2', format: 'qcow2', kind: 'disk' },
    { id: 'cd', path: '/v/x.iso', format: 'raw', kind: 'cd' },
  ] as const;
  expect(lines({ disks })).toEqual(
    expect.arrayContaining([
      '-drive file=/v/a,,b.qcow2,format=qcow2,if=none,id=drive-root,werror=enospc,rerror=report,discard=unmap',
      '-device virtio-blk-pci,drive=drive-root,id=disk-root,bootindex=1',
      '-drive file=/v/x.iso,format=raw,if=none,id=drive-cd,media=cdrom,readonly=on',
      '-device ide-cd,drive=drive-cd,id=disk-cd,bootindex=2',
    ]),
  );
});

test('UEFI, a kernel that QEMU loads, a screen, another user, a paused guest', () => {
  const argv = qemuArgv({
    ...SPEC,
    firmware: { kind: 'uefi', code: '/c.fd', variables: 'v.fd' },
    boot: { kernel: '/k', initrd: '/i', append: 'console=ttyS0 a=b,c' },
    screen: true,
    user: { uid: 65534, gid: 65533 },
    paused: true,
  });
  for (const [option, value] of [
    ['-drive', 'if=pflash,format=raw,readonly=on,file=/c.fd'],
    ['-drive', 'if=pflash,format=raw,file=v.fd'],
    ['-kernel', '/k'],
    ['-initrd', '/i'],
    ['-append', 'console=ttyS0 a=b,c'],
    ['-vnc', 'unix:vnc.sock,share=ignore'],
    ['-runas', '65534:65533'],
    ['-sandbox', 'on,obsolete=deny,elevateprivileges=allow,spawn=deny,resourcecontrol=deny'],
  ]) {
    expect(argv.some((word, at) => word === option && argv[at + 1] === value)).toBe(true);
  }
  expect(argv).toContain('-S');
});

test('only KVM has the CPU model host', () => {
  expect(cpuModelFor('kvm', 'host')).toEqual({ model: 'host' });
  expect(cpuModelFor('tcg', 'Nehalem')).toEqual({ model: 'Nehalem' });
  expect(cpuModelFor('tcg', 'host')).toMatchObject({ model: 'max', instead: expect.stringContaining('KVM') });
});

test('a machine without a disk boots from the network: with the ROM of its card by BIOS, and without by UEFI', () => {
  const cards = [{ id: 'n0', mac: '52:54:00:00:00:01', model: 'virtio', tap: 'tap0', boots: true }] as const;
  const { consoleLog: _, ...quiet } = SPEC;
  const product = { manufacturer: 'Meshwork', product: 'Lab machine, small' };
  const argv = qemuArgv({ ...quiet, cards, product, reboots: false });
  expect(argv).toEqual(
    expect.arrayContaining([
      ...['-machine', 'pc,accel=tcg,graphics=off', '-serial', 'stdio', '-no-reboot', '-boot', 'n'],
      ...['-smbios', 'type=1,manufacturer=Meshwork,product=Lab machine,, small'],
      ...['-netdev', 'tap,id=net-n0,ifname=tap0,script=no,downscript=no'],
      'virtio-net-pci,netdev=net-n0,id=card-n0,mac=52:54:00:00:00:01',
    ]),
  );
  expect(argv.join(' ')).not.toContain('console.sock');
  const uefi = qemuArgv({ ...quiet, cards, firmware: { kind: 'uefi', code: '/code.fd', variables: '/vars.fd' } });
  expect(uefi).toContain('virtio-net-pci,netdev=net-n0,id=card-n0,mac=52:54:00:00:00:01,romfile=');
  expect(uefi).not.toContain('-boot');
});

test('options of a net set-up stand as they are, and translated code may be limited', () => {
  const argv = qemuArgv({ ...SPEC, cards: [], options: ['-nic', 'user,id=n0'], spawns: true, translationMib: 32 });
  expect(argv).toEqual(expect.arrayContaining(['-nic', 'user,id=n0', '-accel', 'tcg,tb-size=32']));
  // With both options, QEMU refuses to start.
  expect(argv.filter((word) => word.includes('accel=tcg'))).toEqual([]);
  expect(argv.at(argv.indexOf('-sandbox') + 1)).toContain('spawn=allow');
  expect(qemuArgv(SPEC).join(' ')).toContain('accel=tcg');
  expect(qemuArgv(SPEC).join(' ')).toContain('spawn=deny');
});

test('memory in a file, a state that comes later, and files of the firmware', () => {
  const argv = qemuArgv({
    ...SPEC,
    memoryFile: { path: '/m,1', written: false },
    restored: true,
    firmwareFiles: { 'opt/a': '/f,1' },
  });
  expect(argv).toEqual(
    expect.arrayContaining([
      ...['-machine', 'pc,accel=tcg,memory-backend=memory', '-incoming', 'defer'],
      ...['-object', 'memory-backend-file,id=memory,size=512M,mem-path=/m,,1,share=off'],
      ...['-fw_cfg', 'name=opt/a,file=/f,,1'],
    ]),
  );
  expect(qemuArgv({ ...SPEC, memoryFile: { path: '/m', written: true } }).join(' ')).toContain('mem-path=/m,share=on');
  expect(qemuArgv(SPEC).join(' ')).not.toContain('memory-backend');
});
