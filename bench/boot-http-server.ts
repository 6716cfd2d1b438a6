/** `boot-http-server.ts IMAGES PORT`: host0's boot server with images to serve, and nothing else of host0. */
import { join } from 'node:path';
import { Attempts } from '../src/boot/attempts.ts';
import { BootSite } from '../src/boot/boot-site.ts';
import { Turnstile } from '../src/boot/turnstile.ts';
import { systemClock as clock } from '../src/model/clock.ts';
import { MeshError } from '../src/model/error.ts';
import type { Ipv4 } from '../src/model/ipv4.ts';
import { Journal } from '../src/protocol/event.ts';
import { createServer } from '../src/protocol/http.ts';

const [images = '', port = ''] = process.argv.slice(2);
const nothing = async (): Promise<never> => {
  throw new MeshError('MESH_BOOT_NO_IMAGE', 'only files are served here');
};

const site = new BootSite({
  clock,
  journal: new Journal(clock, 'bench', 'bench'),
  attempts: new Attempts(clock, { keep: async () => {} }),
  turnstile: new Turnstile(1, clock),
  catalogue: { image: nothing, overlay: nothing },
  registry: { isKnown: () => false, boots: nothing },
  neighbour: async () => undefined,
  leasedTo: async () => undefined,
  secretsOf: nothing,
  host0Addresses: () => [],
  images,
  isos: join(images, 'isos'),
  bootFiles: join(images, 'tftp'),
  onSighting: () => {},
});
const door = { device: 'eth0', host0: '10.9.0.1' as Ipv4 };
createServer((request, response) => void site.handle(request, response, door)).listen(Number(port), '0.0.0.0');
