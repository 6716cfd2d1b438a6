/** What is sent to a socket of an emulator for its guest: bounded in time, and in what the emulator has not read yet. */
import type { Socket } from 'node:net';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';

/** A guest reads what is sent within this time, or it is told to take nothing. */
const INPUT_MS = 5_000;
/** What the guest has not read yet. */
const INPUT_AHEAD_BYTES = 64 * 1024;

/** Sends bytes. Resolves when the emulator has taken them. @param name of the workload. @throws MESH_CONSOLE_CLOSED */
export async function sendToEmulator(socket: Socket, bytes: Uint8Array, name: string, clock: Clock): Promise<void> {
  if (socket.writableLength > INPUT_AHEAD_BYTES) throw consoleClosed(name, 'does not read what is typed');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = clock.after(INPUT_MS, () => reject(consoleClosed(name, 'does not read what is typed')));
  socket.write(bytes, (error) => (error ? reject(consoleClosed(name, `has closed: ${error.message}`)) : resolve()));
  await promise.finally(() => late.cancel());
}

/** The error of a console that takes nothing now. @param why a sentence without its subject: `is not connected` */
export function consoleClosed(name: string, why: string): MeshError {
  return new MeshError('MESH_CONSOLE_CLOSED', `the console of ${name} ${why}`, {
    object: name,
    remedy: `See \`mesh workload info -w ${name}\`.`,
    retryable: true,
  });
}
