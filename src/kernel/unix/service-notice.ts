/** Tells the service manager that this process is ready, by the datagram of sd_notify(3). */
import { AF_UNIX, libc, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from '../libc.ts';
import { unixAddress } from './unix-address.ts';

/**
 * Sends `READY=1` to the socket that `NOTIFY_SOCKET` names. Takes the name out of the environment: children of this process must
 * not speak for it. Without a service manager nothing happens. A notice that is not delivered is lost: systemd then ends a start
 * that it waits for, and says so.
 */
export function tellServiceManager(environment: NodeJS.ProcessEnv = process.env): void {
  const { NOTIFY_SOCKET: path } = environment;
  delete environment.NOTIFY_SOCKET;
  const address = path === undefined ? undefined : unixAddress(path);
  if (address === undefined) return;
  const fd: number = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const notice = Buffer.from('READY=1');
  libc.sendto(fd, notice, notice.length, 0, address, address.length);
  libc.close(fd);
}
