/** Echoes by the `ping` program, until the kernel room's own sockets are here. */
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { spawnInside } from './host-process.ts';
import type { OpenEcho } from './pairs.ts';

export const openEcho: OpenEcho = (netns) => ({
  async ping(to, timeoutMs) {
    const child = spawnInside(netns, ['ping', '-6', '-c1', '-W', String(timeoutMs / 1000), to], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    if (child.stdout === null) return undefined;
    const [said] = await Promise.all([text(child.stdout), once(child, 'close')]);
    const match = /time=([0-9.]+) ms/.exec(said);
    return match?.[1] === undefined ? undefined : Number(match[1]);
  },
  close() {},
});
