/** Echoes to link-local addresses, which are on every device: the socket says which device is meant. */
import { EchoSocket } from './echo.ts';

/** Sends an echo with the common socket, or with one of its own through a device: for a link-local address. */
export async function echoThrough<T>(
  common: EchoSocket,
  device: string | undefined,
  send: (socket: EchoSocket) => Promise<T>,
): Promise<T> {
  if (device === undefined) return send(common);
  const own = EchoSocket.open({ device });
  try {
    return await send(own);
  } finally {
    own.close();
  }
}
