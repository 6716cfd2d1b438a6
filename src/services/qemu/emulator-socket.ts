/**
 * A connection to a socket of an emulator. The emulator's user owns the directory of the socket: a guest that has broken out may put a
 * link to a socket of another program there, to which root would then speak in place of the emulator.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { connect, Socket } from 'node:net';

/** open(2): a descriptor that only names the file. Node has no name for this flag. */
const O_PATH = 0o10000000;

/** Connects to the socket itself: a link in its place is an error, as an event of the socket. */
export function connectEmulator(path: string): Socket {
  let named: number;
  try {
    named = openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    return new Socket().destroy(error instanceof Error ? error : new Error(String(error)));
  }
  if (!fstatSync(named).isSocket()) {
    closeSync(named);
    return new Socket().destroy(new Error(`${path} is no socket`));
  }
  const socket = connect(`/proc/self/fd/${named}`);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(named);
    isOpen = false;
  };
  socket.once('connect', close);
  socket.once('close', close);
  return socket;
}
