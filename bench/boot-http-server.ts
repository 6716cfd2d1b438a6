/** `boot-http-server.ts IMAGES DEVICE ADDRESS`: only the boot server of host0, with images to serve. */
import { join } from 'node:path';
import { Attempts } from '../src/boot/site/attempts.ts';
import { bootEndpoints } from '../src/boot/site/boot-endpoints.ts';
import { BootLoadLimiter } from '../src/boot/site/boot-load-limiter.ts';
import { BootSite } from '../src/boot/site/boot-site.ts';
import { parseIpv4 } from '../src/model/address/ipv4.ts';
import { systemClock as clock } from '../src/model/clock.ts';
import { MeshError } from '../src/model/error.ts';
import { Journal } from '../src/protocol/journal/journal.ts';

const [images = '', device = '', address = ''] = process.argv.slice(2);
const journal = new Journal(clock, 'bench', 'bench');
const nothing = async (): Promise<never> => {
  throw new MeshError('MESH_BOOT_NO_IMAGE', 'only files are served here');
};

const site = new BootSite({
  clock,
  journal,
  attempts: new Attempts(clock, { keep: async () => {} }),
  loadLimiter: new BootLoadLimiter(1, clock),
  catalogue: { image: nothing, overlay: nothing },
  registry: {
    isKnown: () => false,
    isNamedWith: () => false,
    namedByMac: () => undefined,
    mayBoot: () => undefined,
    boots: nothing,
  },
  sharedIds: [],
  neighbour: async () => undefined,
  leasedTo: async () => undefined,
  secretsOf: nothing,
  host0Addresses: () => [],
  images,
  isos: join(images, 'isos'),
  mirror: '/nonexistent',
  bootFiles: join(images, 'tftp'),
  onSighting: () => {},
});
// The index never changes: the device is not recreated during the benchmark.
bootEndpoints({ originAt: async () => ({}), site, clock, journal, indexOf: () => 1 }).serve([
  { device, host0: parseIpv4(address) },
]);
