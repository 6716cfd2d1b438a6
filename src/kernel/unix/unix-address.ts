/** The address of a Unix socket, as C has it. */
import { AF_UNIX } from '../libc.ts';

const PATH_MAX_BYTES = 107;

/**
 * `sockaddr_un` (unix(7)) of a path, or of an abstract name, which begins with `@`. As long as its text: the kernel takes every
 * byte of an abstract name, also zeros at its end.
 * @returns undefined for a text that is too long
 */
export function unixAddress(path: string): Buffer | undefined {
  const name = Buffer.from(path);
  if (name.length === 0 || name.length > PATH_MAX_BYTES) return undefined;
  const isAbstract = path.startsWith('@');
  if (isAbstract) name[0] = 0;
  const address = Buffer.alloc(2 + name.length + (isAbstract ? 0 : 1));
  address.writeUInt16LE(AF_UNIX);
  address.set(name, 2);
  return address;
}
