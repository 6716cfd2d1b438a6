/** What virtual machines need of the node: a processor that runs them itself, memory, and room for their images. */
import type { Check, GuestEvidence } from '../evidence.ts';

const MIB = 1024 * 1024;
/** An image is rarely larger than this part of the limit. */
const CACHE_SHARE = 0.1;

/** Finds guests that are emulated, which makes them many times slower, and says what keeps KVM away. */
export const kvm: Check = {
  name: 'kvm',
  find({ guests }) {
    if (guests === undefined || guests.emulator.accelerator === 'kvm') return [];
    return [
      {
        code: 'MESH_MACHINE_UNFIT',
        severity: 'warning',
        object: '/dev/kvm',
        saw: `guests are emulated here: ${guests.emulator.why ?? 'KVM does not work.'}`,
        matters: 'An emulated guest is many times slower, and takes more memory.',
        remedy: `${kvmRemedy(guests)} Then restart the guests.`,
      },
    ];
  },
};

function kvmRemedy({ processor, hasKvmDevice }: GuestEvidence): string {
  const { virtualization, isGuest, vendor } = processor;
  if (virtualization && !hasKvmDevice)
    return `Load the module of KVM (\`modprobe kvm_${vendor}\`), and restart the agent.`;
  if (isGuest)
    return (
      'This machine is a virtual machine itself: turn nested virtualization on where it runs (kvm_intel and kvm_amd have the parameter ' +
      'nested; the CPU model of this machine must be the one of its host), and boot it again.'
    );
  if (!virtualization)
    return 'Turn virtualization (VT-x or AMD-V) on in the firmware of this machine, if its processor has it.';
  return 'See `dmesg | grep -i kvm`, and which program else uses virtualization here; then boot the machine again.';
}

/** Finds guests that may come to need more memory than there is: the kernel would kill one of them. */
export const guestMemory: Check = {
  name: 'guest-memory',
  find({ guests }) {
    if (guests === undefined || guests.openBytes <= guests.memory.availableBytes) return [];
    const { openBytes, memory } = guests;
    const mib = (bytes: number) => `${Math.ceil(bytes / MIB)} MiB`;
    return [
      {
        code: 'MESH_WORKLOAD_MEMORY',
        severity: 'warning',
        object: 'memory',
        saw: `the guests here may come to take ${mib(openBytes)} more memory, and ${mib(memory.availableBytes)} are left`,
        matters: 'When memory runs out, the kernel ends a process: most often a guest.',
        remedy:
          'Stop or move a guest (`mesh workload list` on host0), or end another program: `ps -eo rss,comm --sort -rss | head`.',
      },
    ];
  },
};

/** Finds a cache of images in which hardly anything could give way for the next image. */
export const imageCache: Check = {
  name: 'image-cache',
  find({ guests }) {
    if (guests?.cache === undefined) return [];
    const { directory, limitBytes, usedBytes, unusedBytes, freeBytes } = guests.cache;
    const byLimit = limitBytes - usedBytes + unusedBytes;
    const room = Math.max(0, Math.min(byLimit, freeBytes + unusedBytes));
    if (room >= limitBytes * CACHE_SHARE) return [];
    const isOverLimit = byLimit <= freeBytes + unusedBytes;
    return [
      {
        code: 'MESH_DISK_IMAGE_ROOM',
        severity: 'warning',
        object: directory,
        saw: `the cache of disk images has room for ${Math.floor(room / MIB)} MiB more, and a limit of ${Math.floor(limitBytes / MIB)} MiB`,
        matters: 'A guest with another image cannot be started here.',
        remedy: isOverLimit
          ? 'All images have volumes over them. Delete workloads that are not needed, or give the cache more: `mesh agent run --disk-cache SIZE`.'
          : `Make room: \`du -xh ${directory}/.. | sort -h | tail\`.`,
      },
    ];
  },
};
