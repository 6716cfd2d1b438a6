/** Which modules are chosen, and the indexes that modprobe reads. */
import { expect, test } from 'vitest';
import { aliasIndex, chosenModules, dependencyIndex, isWanted, type ModuleInfo, moduleInfo } from './kernel-modules.ts';

const info = (...lines: string[]) => Buffer.from(lines.map((line) => `${line}\0`).join(''));

const VIRTIO_NET = 'kernel/drivers/net/virtio_net.ko';

const MODULES: Readonly<Record<string, Buffer>> = {
  [VIRTIO_NET]: info('alias=virtio:d00000001v*', 'depends=virtio,net-failover', 'name=virtio_net'),
  'kernel/drivers/net/net_failover.ko': info('depends=failover'),
  'kernel/net/core/failover.ko': info('depends='),
  'kernel/drivers/virtio/virtio.ko': info('depends='),
  'kernel/lib/libcrc32c.ko': info('depends=', 'softdep=pre: crc32c'),
  'kernel/arch/x86/crypto/crc32c-intel.ko': info(
    'alias=crc32c',
    'alias=crypto-crc32c',
    'alias=cpu:type:x86,ven*fam*mod*:feature:*0094*',
    'depends=',
  ),
  'kernel/crypto/crc32c_generic.ko': info('alias=crc32c', 'alias=crypto-crc32c', 'depends='),
  'kernel/drivers/net/phy/realtek.ko': info('depends='),
  'kernel/drivers/net/ethernet/realtek/r8169.ko': info('depends=', 'softdep=pre: realtek'),
  'kernel/net/netfilter/nf_conntrack.ko': info('depends=libcrc32c'),
  'kernel/sound/core/snd.ko': info('depends=soundcore', 'alias=char-major-116-*'),
};

const chosen = () => chosenModules(Object.keys(MODULES), (path) => moduleInfo(path, MODULES[path] ?? Buffer.alloc(0)));

test('modinfo gives the aliases and dependencies of a module', () => {
  expect(
    moduleInfo(
      'a.ko',
      info('alias=pci:v1', 'alias=pci:v2', 'depends=x,y-z', 'softdep=pre: q r post: s', 'license=GPL'),
    ),
  ).toEqual({ path: 'a.ko', aliases: ['pci:v1', 'pci:v2'], depends: ['x', 'y_z'], softDepends: ['q', 'r'] });
  expect(moduleInfo('a.ko', Buffer.alloc(0))).toEqual({ path: 'a.ko', aliases: [], depends: [], softDepends: [] });
});

test('wanted modules are chosen with their dependencies, and nothing else', () => {
  expect(chosen().map(({ path }) => path)).toEqual(
    Object.keys(MODULES)
      .filter((path) => !path.includes('sound'))
      .sort(),
  );
});

test('network cards, meshes and guests are wanted; sound, graphics and ebtables are not', () => {
  const wanted = ['net/bridge/br_netfilter', 'drivers/net/ethernet/intel/e1000e/e1000e', 'arch/x86/kvm/kvm-intel'];
  const unwanted = ['sound/core/snd', 'drivers/gpu/drm/i915/i915', 'net/bridge/netfilter/ebtable_nat'];
  expect(wanted.map((name) => `kernel/${name}.ko`).filter((path) => !isWanted(path))).toEqual([]);
  expect(unwanted.map((name) => `kernel/${name}.ko`).filter(isWanted)).toEqual([]);
});

test('modules.dep lists all dependencies, the first to load last, with aliases resolved', () => {
  const lines = dependencyIndex(chosen()).split('\n');
  expect(lines).toContain(
    `${VIRTIO_NET}: kernel/drivers/virtio/virtio.ko kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko`,
  );
  expect(lines).toContain('kernel/drivers/virtio/virtio.ko:');
});

test('a soft dependency is loaded first, but no module for a feature that the processor may lack', () => {
  const lines = dependencyIndex(chosen()).split('\n');
  // Chosen, so that processors with the feature load it by their own alias.
  expect(chosen().map(({ path }) => path)).toContain('kernel/arch/x86/crypto/crc32c-intel.ko');
  expect(lines).toContain(
    'kernel/net/netfilter/nf_conntrack.ko: kernel/lib/libcrc32c.ko kernel/crypto/crc32c_generic.ko',
  );
  expect(lines).toContain('kernel/drivers/net/ethernet/realtek/r8169.ko: kernel/drivers/net/phy/realtek.ko');
});

test('a module that two others need comes before both', () => {
  const module = (name: string, ...depends: string[]): ModuleInfo => ({
    path: `${name}.ko`,
    aliases: [],
    depends,
    softDepends: [],
  });
  const lines = dependencyIndex([module('a', 'b', 'c'), module('b', 'd'), module('c', 'b'), module('d')]).split('\n');
  expect(lines[0]).toBe('a.ko: c.ko b.ko d.ko');
});

test('modules that need each other do not cause an endless loop', () => {
  const info = { aliases: [], softDepends: [] };
  expect(
    dependencyIndex([
      { path: 'a.ko', depends: ['b'], ...info },
      { path: 'b.ko', depends: ['a'], ...info },
    ]),
  ).toBe('a.ko: b.ko\nb.ko: a.ko\n');
});

test('modules.alias names the module that serves a device', () => {
  expect(aliasIndex(chosen())).toContain('alias virtio:d00000001v* virtio_net\n');
});
