/**
 * The guest of labs as tests of workloads boot it: it boots in about two seconds without acceleration. `init`, beside this file, stands in
 * place of that of labs, and says what it does.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpio } from '../../../src/formats/binary/cpio.ts';
import { RootTree } from '../../../src/image/node/root-tree.ts';
import { GUEST_APPEND, type GuestImage, guestImage } from '../../../src/lab/guest/guest-image.ts';

/** The files that QEMU loads. */
export interface SmallGuest {
  readonly kernel: string;
  readonly initrd: string;
  /** What the command line of its kernel begins with. Words for `init` follow. */
  readonly append: string;
}

/** `fill` writes 64 MiB to the guest's first disk, and `seed` prints its seed. */
type GuestDeed = 'poweroff' | 'reboot' | 'panic' | 'fill' | 'seed';

/** What a small guest does, as words of its kernel command line. */
export interface GuestWishes {
  readonly name: string;
  /** Addresses with their prefix length, by device. */
  readonly addresses?: readonly (readonly [device: string, address: string])[];
  /** The devices for which the guest asks for an address by DHCP. */
  readonly dhcp?: readonly string[];
  /** The guest says on its console which address these names have. */
  readonly resolves?: readonly string[];
  /** The guest says its name to each caller at these TCP ports. */
  readonly serves?: readonly number[];
  /** The guest says on its console when one of these begins to answer, and when it ends. */
  readonly pings?: readonly string[];
  /** The guest pings these each 50 ms, and says so on its console at each 10th answer. */
  readonly steady?: readonly string[];
  /** What the guest does as soon as it is ready, one after the other. Absent: it runs on. */
  readonly end?: readonly GuestDeed[];
}

/** Not below root's home: an emulator runs as another user. */
const CACHE = '/var/cache/meshwork/small-guest';
const INIT = new URL('init', import.meta.url).pathname;

let made: Promise<SmallGuest> | undefined;

/** Resolves with the guest's files. The first caller on this machine makes them, in a few seconds. */
export function smallGuest(): Promise<SmallGuest> {
  made ??= find();
  return made;
}

/** The kernel command line of a guest. */
export function guestCommandLine({ append }: SmallGuest, wishes: GuestWishes): string {
  const { name, addresses = [], dhcp = [], resolves = [], serves = [], pings = [], steady = [], end = [] } = wishes;
  return [
    append,
    `guest.name=${name}`,
    ...addresses.map(([device, address]) => `guest.address=${device},${address}`),
    ...dhcp.map((device) => `guest.dhcp=${device}`),
    ...resolves.map((one) => `guest.resolve=${one}`),
    ...serves.map((port) => `guest.serve=${port}`),
    ...pings.map((address) => `guest.ping=${address}`),
    ...steady.map((address) => `guest.steady=${address}`),
    ...end.map((deed) => `guest.end=${deed}`),
  ].join(' ');
}

async function find(): Promise<SmallGuest> {
  const guest = await guestImage();
  const content = createHash('sha256')
    .update(guest.id)
    .update(readFileSync(import.meta.filename))
    .update(readFileSync(INIT));
  const directory = join(CACHE, content.digest('hex').slice(0, 16));
  const files = { kernel: join(directory, 'kernel'), initrd: join(directory, 'initrd'), append: GUEST_APPEND };
  if (existsSync(files.initrd)) return files;
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(join(CACHE, 'draft-'));
  try {
    await copyFile(guest.kernel, join(draft, 'kernel'));
    await writeFile(join(draft, 'initrd'), await initrdOf(guest));
    await chmod(draft, 0o755);
    // Another process may have been quicker.
    await rename(draft, directory).catch(() => undefined);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return files;
}

async function initrdOf({ base, disks }: GuestImage): Promise<Buffer> {
  const own = new RootTree();
  // The kernel opens the console before /dev is mounted, and runs without one: `init` then opens it itself.
  own.file(
    'init',
    `#!/bin/busybox sh\n/bin/mount -t devtmpfs dev /dev\nexec /bin/sh /init.guest </dev/console >/dev/console 2>&1\n`,
    0o755,
  );
  own.file('init.guest', await readFile(INIT), 0o755);
  return Buffer.concat([await readFile(base), await readFile(disks), ...cpio(own.entries())]);
}
