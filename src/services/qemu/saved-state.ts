/**
 * The state of a guest as a file: processor and devices, without the memory, which is in a file of its own (`MemoryFile`). QEMU calls
 * this a migration with `x-ignore-shared` (docs/devel/migration of QEMU).
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import * as form from '../../model/form.ts';
import { connectEmulator } from './emulator-socket.ts';
import type { QmpClient } from './qmp-client.ts';

/** The answer to `query-migrate`, as far as it is read. A word is absent before the first migration. */
const MigrationShape = form.looseObject({
  status: form.exactOptional(form.string()),
  'error-desc': form.exactOptional(form.string()),
});
/** The state goes through a socket of this name in the working directory of QEMU. */
const SOCKET = 'state.sock';
const LOOK_MS = 5;
/** On an idle machine, 0.4 MB of state take 30 ms. */
const WITHIN_MS = 20_000;

/**
 * Writes the state of a paused guest into a file. Its memory must be in a file that the guest writes into.
 * @param directory the working directory of the emulator
 * @throws MESH_QEMU_REFUSED, MESH_QEMU_SILENT
 */
export async function saveState(monitor: QmpClient, directory: string, file: string): Promise<void> {
  await leaveMemoryOut(monitor);
  const path = join(directory, SOCKET);
  const server = createServer();
  try {
    // QEMU answers nothing while it waits for somebody to read.
    const written = new Promise<void>((resolve, reject) => {
      server.on('connection', (socket) => {
        pipeline(socket, createWriteStream(file, { mode: 0o600 })).then(resolve, reject);
      });
    });
    written.catch(() => undefined);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
    await monitor.execute('migrate', { uri: `unix:${SOCKET}` });
    await untilMigrated(monitor);
    await written;
  } finally {
    server.close();
    await rm(path, { force: true });
  }
}

/**
 * Gives an emulator that was started as `restored` the state in a file. Its guest stays paused.
 * @param directory the working directory of the emulator
 * @throws MESH_QEMU_REFUSED, MESH_QEMU_SILENT also where QEMU has ended: it ends when it cannot use the state
 */
export async function restoreState(monitor: QmpClient, directory: string, file: string): Promise<void> {
  await leaveMemoryOut(monitor);
  await monitor.execute('migrate-incoming', { uri: `unix:${SOCKET}` });
  // Where QEMU ends in the middle, its monitor is closed, and that is told.
  await pipeline(createReadStream(file), connectEmulator(join(directory, SOCKET))).catch(() => undefined);
  await untilMigrated(monitor);
  await rm(join(directory, SOCKET), { force: true });
}

async function leaveMemoryOut(monitor: QmpClient): Promise<void> {
  await monitor.execute('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] });
}

async function untilMigrated(monitor: QmpClient): Promise<void> {
  const giveUpAt = performance.now() + WITHIN_MS;
  while (!(await isMigrated(monitor))) {
    if (performance.now() > giveUpAt) throw refused(`does not end within ${WITHIN_MS / 1_000} s`);
    await sleep(LOOK_MS);
  }
}

async function isMigrated(monitor: QmpClient): Promise<boolean> {
  const { status, 'error-desc': why } = await monitor.query('query-migrate', MigrationShape);
  if (status === 'failed' || status === 'cancelled')
    throw refused(`has ${status}${why === undefined ? '' : `: ${why}`}`);
  return status === 'completed';
}

function refused(what: string): MeshError {
  return new MeshError('MESH_QEMU_REFUSED', `the migration of the state ${what}`);
}
