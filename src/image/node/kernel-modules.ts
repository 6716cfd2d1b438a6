/**
 * Which of a kernel's modules a node gets, and the indexes that modprobe reads. Pure: `.modinfo` sections come in, paths
 * and text go out. Formats as in modules.dep(5), depmod.d(5).
 */

/** The parts of a module's `.modinfo` section that are needed here. */
export interface ModuleInfo {
  /** Relative to the kernel's module directory: `kernel/drivers/net/vxlan/vxlan.ko`. */
  readonly path: string;
  /** Patterns of the devices and features that the module serves. */
  readonly aliases: readonly string[];
  /** Names of modules that must be loaded first. */
  readonly depends: readonly string[];
  /** Names or aliases of modules that should be loaded first, if they exist. */
  readonly softDepends: readonly string[];
}

/** Directories (with a slash at the end) and modules that a node needs, each with its purpose. Their dependencies are added automatically. */
const WANTED: Readonly<Record<string, string>> = {
  'drivers/net/ethernet/': 'wired network cards',
  'drivers/net/phy/': 'their transceivers',
  'drivers/net/mdio/': 'their transceivers',
  'drivers/net/usb/': 'wired network cards on USB',
  'drivers/net/vxlan/': 'meshes',
  'drivers/net/bonding/': 'several links used as one',
  'drivers/net/hyperv/': 'network cards of Hyper-V',
  'drivers/net/vmxnet3/': 'network cards of VMware',
  'drivers/net/xen-netfront': 'network cards of Xen',
  'drivers/net/virtio_net': 'network cards of QEMU',
  'drivers/net/dummy': 'links for tests',
  'drivers/net/ifb': 'limits on incoming traffic',
  'drivers/net/macvlan': 'guests directly on a segment',
  'drivers/net/macvtap': 'guests directly on a segment',
  'drivers/net/tap': 'guests directly on a segment',
  'drivers/net/tun': 'guests',
  'drivers/net/veth': 'containers',
  'drivers/net/vrf': 'separate routing tables',
  'drivers/net/wireguard/': 'tunnels',
  'net/bridge/': 'meshes',
  'net/8021q/': 'VLANs',
  'net/netfilter/nf_': 'the firewall',
  'net/netfilter/nft_': 'the firewall',
  'net/netfilter/nfnetlink': 'the firewall',
  'net/ipv4/netfilter/nf_': 'the firewall',
  'net/ipv4/netfilter/nft_': 'the firewall',
  'net/ipv6/netfilter/nf_': 'the firewall',
  'net/ipv6/netfilter/nft_': 'the firewall',
  'net/packet/': 'DHCP and probes',
  'net/sched/': 'traffic limits',
  'net/vmw_vsock/': 'connections between guest and host',
  'arch/x86/kvm/': 'guests',
  'drivers/vhost/vhost_net': 'fast network cards of guests',
  'drivers/vhost/vsock': 'connections between guest and host',
  'drivers/virtio/': 'devices of QEMU',
  'drivers/char/hw_random/': 'random numbers',
  'drivers/char/virtio_console': 'consoles of QEMU',
  'drivers/hv/': 'devices of Hyper-V',
  'drivers/block/virtio_blk': 'disks of QEMU',
  'drivers/block/loop': 'files as disks',
  'drivers/block/nbd': 'disks over the network',
  'drivers/block/zram': 'compressed memory',
  'drivers/block/xen-blkfront': 'disks of Xen',
  'drivers/nvme/host/nvme.ko': 'disks',
  'drivers/ata/ahci': 'disks',
  'drivers/ata/ata_piix': 'disks of old machines',
  'drivers/scsi/sd_mod': 'disks',
  'drivers/scsi/virtio_scsi': 'disks of QEMU',
  'drivers/scsi/hv_storvsc': 'disks of Hyper-V',
  'drivers/scsi/vmw_pvscsi': 'disks of VMware',
  'drivers/scsi/megaraid/megaraid_sas': 'disks of servers',
  'drivers/scsi/mpt3sas/': 'disks of servers',
  'drivers/scsi/hpsa': 'disks of servers',
  'drivers/scsi/smartpqi/': 'disks of servers',
  'drivers/scsi/aacraid/': 'disks of servers',
  'drivers/md/dm-mod': 'volumes',
  'drivers/mmc/': 'disks of small machines',
  'drivers/usb/host/': 'keyboards, sticks, network cards',
  'drivers/usb/storage/usb-storage': 'sticks',
  'drivers/usb/storage/uas': 'sticks',
  'drivers/hid/hid': 'keyboards',
  'drivers/hid/usbhid/': 'keyboards',
  'drivers/watchdog/': 'a machine that hangs restarts',
  'drivers/char/ipmi/': 'sensors of servers',
  'fs/ext4/': 'disks that a user mounts',
  'fs/xfs/': 'disks that a user mounts',
  'fs/fat/': 'sticks',
  'fs/nls/nls_ascii': 'sticks',
  'fs/nls/nls_cp437': 'sticks',
  'fs/nls/nls_iso8859-1': 'sticks',
  'fs/nls/nls_utf8': 'sticks',
  'fs/isofs/': 'installer images',
  'fs/overlayfs/': 'containers and labs',
  'fs/squashfs/': 'packed file systems',
  'fs/fuse/': 'file systems in user space',
  'crypto/crc32c_generic': 'checksums, asked for by name',
  'arch/x86/crypto/crc32c-intel': 'checksums, asked for by name',
};

/** Modules in the directories above that a node does not need: IPVS, ISDN, ebtables, 802.15.4. */
const UNWANTED = /\/(?:ipvs|isdn|ebt_\w+|ebtables?|ebtable_\w+|ieee802154)(?:\/|\.ko)/;

/** Whether a node needs this module itself, not only as a dependency of another. @param path as in ModuleInfo */
export function isWanted(path: string): boolean {
  const inside = path.replace(/^kernel\//, '');
  return !UNWANTED.test(path) && WANTED_PREFIXES.some((prefix) => inside.startsWith(prefix));
}

const WANTED_PREFIXES = Object.keys(WANTED);

/** The module's name as modprobe, `depends=` and lsmod write it: with `_` in place of `-`. */
export function moduleName(path: string): string {
  return (/([^/]+)\.ko(?:\.\w+)?$/.exec(path)?.[1] ?? path).replaceAll('-', '_');
}

/** Reads a module's aliases and dependencies. @param modinfo the `.modinfo` section: `key=value` texts, each ended by NUL */
export function moduleInfo(path: string, modinfo: Buffer): ModuleInfo {
  const lines = modinfo.toString('latin1').split('\0');
  const values = (key: string) =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));
  const depends = values('depends').flatMap((list) => list.split(',').filter((name) => name !== ''));
  const softDepends = values('softdep').flatMap((text) => {
    const before = /\bpre:([^:]*?)(?:\s*\bpost:|$)/.exec(text)?.[1] ?? '';
    return before.split(/\s+/).filter((name) => name !== '');
  });
  return { path, aliases: values('alias'), depends: depends.map(underscored), softDepends };
}

/**
 * The wanted modules and all their dependencies, sorted by path.
 * @param paths of all modules of the kernel
 * @param infoOf reads one of them
 */
export function chosenModules(paths: readonly string[], infoOf: (path: string) => ModuleInfo): ModuleInfo[] {
  const byName = new Map(paths.map((path) => [moduleName(path), path]));
  const chosen = new Map<string, ModuleInfo>();
  const queue = paths.filter(isWanted);
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (chosen.has(path)) continue;
    const info = infoOf(path);
    chosen.set(path, info);
    for (const name of [...info.depends, ...info.softDepends.map(underscored)]) {
      const needed = byName.get(name);
      if (needed !== undefined) queue.push(needed);
    }
  }
  return [...chosen.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * The text of `modules.dep`: each module with its dependencies, the first to load last. busybox's modprobe knows no soft
 * dependencies, so they are listed like hard ones, with one exception: a module for a feature of some processors. Such a
 * module refuses to load on the others, and busybox would then not load the module that lists it.
 */
export function dependencyIndex(modules: readonly ModuleInfo[]): string {
  const byName = new Map<string, ModuleInfo[]>();
  for (const module of modules) {
    for (const name of [moduleName(module.path), ...module.aliases]) {
      byName.set(name, [...(byName.get(name) ?? []), module]);
    }
  }
  const named = (name: string): ModuleInfo[] => byName.get(name) ?? byName.get(underscored(name)) ?? [];
  const before = (module: ModuleInfo, above: ReadonlySet<ModuleInfo>): ModuleInfo[] =>
    [...module.depends.flatMap(named), ...module.softDepends.flatMap(named).filter((soft) => !needsFeature(soft))]
      .filter((needed) => !above.has(needed))
      .flatMap((needed) => [needed, ...before(needed, new Set([...above, needed]))]);
  return modules
    .map((module) => {
      const all = before(module, new Set([module])).map(({ path }) => path);
      // A module that occurs twice stays at its last place, so that it is loaded before all modules that need it.
      const order = all.filter((path, index) => all.lastIndexOf(path) === index);
      return `${[`${module.path}:`, ...order].join(' ')}\n`;
    })
    .join('');
}

/** Whether a module is for processors with some feature: `cpu:type:x86,ven*fam*mod*:feature:*0094*` is SSE 4.2. */
function needsFeature({ aliases }: ModuleInfo): boolean {
  return aliases.some((alias) => alias.startsWith('cpu:'));
}

/** The text of `modules.alias`: which module serves a device or a feature. */
export function aliasIndex(modules: readonly ModuleInfo[]): string {
  return modules
    .flatMap(({ path, aliases }) => aliases.map((alias) => `alias ${alias} ${moduleName(path)}\n`))
    .join('');
}

function underscored(name: string): string {
  return name.replaceAll('-', '_');
}
